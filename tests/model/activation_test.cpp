#include "etastar/error.hpp"
#include "etastar/model/activation.hpp"
#include "etastar/names.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>

using namespace etastar;
using model::Activation;
using model::Relu;

TEST_CASE("Relu::change is the change of a relu, in units of the scale") {
    std::mt19937 generator(1);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 10000; ++i) {
        const double z = normal(generator);
        const double d = normal(generator);
        const double scale = std::ldexp(1.0, i % 20 - 10);
        const double expected = (std::max(z + scale * d, 0.0) - std::max(z, 0.0)) / scale;
        CHECK(Relu::change(z, d, 1 / scale) == Catch::Approx(expected).epsilon(1e-9).margin(1e-12 / scale));
    }
}

TEST_CASE("Relu::change of an infinitesimal step is the mask") {
    CHECK(Relu::change(0.5f, -3.0f, 1e38f) == -3.0f);
    CHECK(Relu::change(-0.5f, 3.0f, 1e38f) == 0.0f);
    CHECK(Relu::change(1e-20f, 7.0f, 1e38f) == 7.0f);
    // A neuron at exactly zero: inactive, but any positive change passes.
    CHECK(Relu::change(0.0f, 2.0f, 1.0f) == 2.0f);
    CHECK(Relu::change(0.0f, -2.0f, 1e38f) == 0.0f);
}

TEST_CASE("overflow is not hidden") {
    const float nan = NAN;
    CHECK(std::isnan(Relu::change(1.0f, nan, 1.0f)));
    CHECK(std::isnan(Relu::change(-1.0f, nan, 1.0f)));
    CHECK(std::isinf(Relu::change(1.0f, INFINITY, 1.0f)));
}

TEST_CASE("the names of activations are those of their structs, each once") {
    const auto& table = Names<Activation>::table;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto [name, activation] = table[i];
        CHECK(activation == Activation(i));
        CHECK(name_of(activation) == name);
        CHECK(parse_name<Activation>(name) == activation);
        CHECK(model::visit(activation, [](auto each) { return each.name; }) == name);
        CHECK(std::count_if(table.begin(), table.end(), [&](const auto& e) { return e.first == name; }) == 1);
    }
    CHECK(table[0].first == "relu");
    CHECK_THROWS_AS(parse_name<Activation>("Relu"), UsageError);
}

TEST_CASE("activation_of and visit are inverse") {
    CHECK(name_of(model::activation_of<Relu>) == "relu");
    model::visit(model::activation_of<Relu>,
                 [](auto activation) { CHECK(std::is_same_v<decltype(activation), Relu>); });
}

namespace {

// For a list of any length: the place of each struct in it.
struct Other : Relu {
    static constexpr std::string_view name = "other";
};
struct Third : Relu {
    static constexpr std::string_view name = "third";
};
using Three = model::ActivationList<Relu, Other, Third>;

} // namespace

TEST_CASE("an activation is its place in the list") {
    CHECK(model::detail::place<Relu>(Three{}) == Activation{0});
    CHECK(model::detail::place<Other>(Three{}) == Activation{1});
    CHECK(model::detail::place<Third>(Three{}) == Activation{2});
    const auto names = model::detail::activation_names(Three{});
    CHECK(names[1].first == "other");
    CHECK(names[2].second == Activation{2});
}

TEST_CASE("value and pull_back of Relu") {
    CHECK(Relu::value(2.0) == 2.0);
    CHECK(Relu::value(-2.0f) == 0.0f);
    CHECK(std::isnan(Relu::value(std::nan(""))));
    CHECK(Relu::pull_back(0.5, -3.0) == -3.0);
    CHECK(Relu::pull_back(0.0, -3.0) == 0.0);
    CHECK(Relu::pull_back(-0.5, -3.0) == 0.0);
}

TEST_CASE("the weight variance of Relu keeps the length of the activations") {
    // E relu(z)^2 = z's variance / 2, by the midpoint rule.
    double mean = 0;
    constexpr double step = 1e-3;
    for (double z = -10 + step / 2; z < 10; z += step)
        mean += std::pow(Relu::value(z), 2) * std::exp(-z * z / 2) / std::sqrt(2 * M_PI) * step;
    CHECK(Relu::weight_variance * mean == Catch::Approx(1).epsilon(1e-6));
}

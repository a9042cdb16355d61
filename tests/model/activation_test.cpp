#include "etastar/error.hpp"
#include "etastar/model/activation.hpp"
#include "etastar/names.hpp"

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <tuple>
#include <type_traits>
#include <vector>

using namespace etastar;
using model::Activation;
using model::change;
using model::Erf;
using model::Gelu;
using model::LeakyRelu;
using model::Linear;
using model::Relu;
using model::Silu;
using model::Tanh;

namespace {

// Textbook formulas in extended precision: phi and phi'.
using Wide = long double;
const Wide pi = std::acos(Wide{-1});

Wide phi(Relu, Wide z) { return std::max(z, Wide{0}); }
Wide phi(LeakyRelu a, Wide z) { return z > 0 ? z : Wide{a.leak} * z; }
Wide phi(Linear, Wide z) { return z; }
Wide phi(Tanh, Wide z) { return std::tanh(z); }
Wide phi(Erf, Wide z) { return std::erf(std::sqrt(pi) / 2 * z); }
Wide phi(Gelu, Wide z) { return z * std::erfc(-z / std::sqrt(Wide{2})) / 2; }
Wide phi(Silu, Wide z) { return z / (1 + std::exp(-z)); }

Wide slope(Relu, Wide z) { return z > 0; }
Wide slope(LeakyRelu a, Wide z) { return z > 0 ? Wide{1} : Wide{a.leak}; }
Wide slope(Linear, Wide) { return 1; }
Wide slope(Tanh, Wide z) { return std::pow(std::cosh(z), -2); }
Wide slope(Erf, Wide z) { return std::exp(-pi / 4 * z * z); }
Wide slope(Gelu, Wide z) {
    return std::erfc(-z / std::sqrt(Wide{2})) / 2 + z * std::exp(-z * z / 2) / std::sqrt(2 * pi);
}
Wide slope(Silu, Wide z) {
    const Wide s = 1 / (1 + std::exp(-z));
    return s * (1 + z * (1 - s));
}

// (phi(z + b) - phi(z)) / b: a difference, or where that cancels the mean slope by Gauss's rule of five points, whose
// error is of order b^10.
template <class Each>
Wide mean_slope(Each activation, Wide z, Wide b) {
    if (activation.piecewise_linear && z != 0 && std::abs(b) < std::abs(z)) return slope(activation, z);
    if (activation.piecewise_linear || std::abs(b) > 0.03L)
        return (phi(activation, z + b) - phi(activation, z)) / b;
    const Wide inner = std::sqrt(5 - 2 * std::sqrt(Wide{10} / 7)) / 3;
    const Wide outer = std::sqrt(5 + 2 * std::sqrt(Wide{10} / 7)) / 3;
    const auto pair = [&](Wide at) {
        return slope(activation, z + b * (1 - at) / 2) + slope(activation, z + b * (1 + at) / 2);
    };
    const Wide root = 13 * std::sqrt(Wide{70});
    return (Wide{128} / 225 * slope(activation, z + b / 2) + (322 + root) / 900 * pair(inner)
            + (322 - root) / 900 * pair(outer))
           / 2;
}

using Smooth = std::tuple<Tanh, Erf, Gelu, Silu>;
using All = std::tuple<Relu, LeakyRelu, Linear, Tanh, Erf, Gelu, Silu>;

template <class List, class Body>
void for_each(Body body) {
    std::apply([&](auto... each) { (body(each), ...); }, List{});
}

// Bounds on errors: of a value (over max(1, |z|)), and of slopes and changes (over |d|).
template <class T>
constexpr T value_bound = std::is_same_v<T, float> ? T(4e-7) : T(1.5e-15);
template <class T>
constexpr T slope_bound = std::is_same_v<T, float> ? T(2.5e-6) : T(4e-15);

template <class T>
std::vector<T> arguments() {
    std::vector<T> z{0, T(1e-20), T(-1e-20), T(1e-4), T(-3e-3)};
    for (int i = -60; i <= 60; ++i) z.push_back(T(i * 0.1631));
    for (const double far : {11.3, 17.9, 18.1, 19.0, 25.0, 41.0, 1e3}) {
        z.push_back(T(far));
        z.push_back(T(-far));
    }
    return z;
}

// The largest error of changes over |d|; changed(z, d, step).
template <class T, class Each, class Changed>
double change_error(Each activation, Changed changed) {
    double worst = 0;
    for (const T z : arguments<T>())
        for (const T step : {T(1e-30), T(1e-9), T(1e-4), T(0.03), T(0.4), T(1), T(7), T(1e3)})
            for (const T size : {T(1e-6), T(1e-2), T(0.3), T(1.1), T(4), T(31), T(1e4)})
                for (const T d : {size, -size}) {
                    const Wide expected = mean_slope(activation, Wide{z}, Wide{step} * Wide{d});
                    const auto error =
                        static_cast<double>(std::abs(Wide{changed(z, d, step)} / Wide{d} - expected));
                    if (!(error <= worst)) worst = error;
                }
    return worst;
}

template <class T>
void check_changes() {
    for_each<All>([](auto activation) {
        INFO(activation.name);
        const auto changed = [&](T z, T d, T step) { return change(activation, z, d, step); };
        CHECK(change_error<T>(activation, changed) < slope_bound<T>);
    });
    // The same check finds a difference that cancels.
    for_each<Smooth>([](auto activation) {
        INFO(activation.name);
        const auto naive = [&](T z, T d, T step) {
            return (activation.value(z + step * d) - activation.value(z)) / step;
        };
        CHECK(!(change_error<T>(activation, naive) < 100 * slope_bound<T>));
    });
}

template <class T>
void check_values() {
    for_each<All>([](auto activation) {
        INFO(activation.name);
        for (const T z : arguments<T>()) {
            INFO("z = " << z);
            const Wide value = phi(activation, z);
            CHECK(std::abs(Wide{activation.value(z)} - value)
                  <= value_bound<T> * std::max(T(1), std::abs(z)));
            CHECK(std::abs(Wide{activation.slope(z)} - slope(activation, z)) < slope_bound<T>);
        }
    });
}

template <class Vector>
void check_bits() {
    using T = model::Element<Vector>;
    constexpr std::size_t lanes = sizeof(Vector) / sizeof(T);
    const auto same = [](T a, T b) { return std::memcmp(&a, &b, sizeof(T)) == 0; };
    std::mt19937 generator(3);
    std::normal_distribution<double> normal;
    for_each<All>([&](auto activation) {
        INFO(activation.name);
        bool agree = true;
        for (int repeat = 0; repeat < 50; ++repeat) {
            Vector z;
            Vector d;
            Vector step;
            Vector kink;
            for (std::size_t i = 0; i < lanes; ++i) {
                z[i] = T((repeat % 2 == 0 ? 1 : 8) * normal(generator));
                d[i] = T(normal(generator));
                step[i] = T(std::ldexp(1.0, int(i + repeat) % 14 - 10));
                kink[i] = 1 / step[i];
            }
            if (repeat == 0) z[0] = 0;
            Vector known[activation.facts];
            activation.study(z, known);
            const Vector value = activation.value(z);
            const Vector slope = activation.slope(z);
            for (std::size_t neuron = 0; neuron < lanes; ++neuron) {
                const T scalar = z[neuron];
                agree = agree && same(value[neuron], activation.value(scalar))
                        && same(slope[neuron], activation.slope(scalar));
                // One neuron, a column in every element.
                const Vector changes =
                    activation.change([&](std::size_t j) -> T { return known[j][neuron]; }, d, step, kink);
                for (std::size_t i = 0; i < lanes; ++i)
                    agree = agree && same(changes[i], change(activation, scalar, T(d[i]), T(step[i])));
            }
        }
        CHECK(agree);
    });
}

template <class T, std::size_t Lanes>
using Lane __attribute__((vector_size(Lanes * sizeof(T)))) = T;

} // namespace

TEST_CASE("values and slopes of every activation") {
    check_values<float>();
    check_values<double>();
}

TEST_CASE("change is the change of the value at any step, in single precision") { check_changes<float>(); }

TEST_CASE("change is the change of the value at any step, in double precision") { check_changes<double>(); }

TEST_CASE("an infinitesimal step is the linear response") {
    std::mt19937 generator(2);
    std::normal_distribution<float> normal;
    for_each<All>([&](auto activation) {
        INFO(activation.name);
        double sum = 0;
        double expected = 0;
        for (int i = 0; i < 20000; ++i) {
            const float z = std::sqrt(static_cast<float>(activation.weight_variance())) * normal(generator);
            const float d = normal(generator);
            const float still = change(activation, z, d, 0.0f);
            CHECK(still == Catch::Approx(activation.slope(z) * d).margin(slope_bound<float> * std::abs(d)));
            CHECK(change(activation, z, d, 1e-35f) == Catch::Approx(still).margin(1e-35));
            sum += static_cast<double>(still) * static_cast<double>(still);
            expected += static_cast<double>(std::pow(slope(activation, z) * Wide{d}, 2));
        }
        CHECK(sum == Catch::Approx(expected).epsilon(1e-6));
    });
}

TEST_CASE("scalars and vectors of any width give the same bits") {
    check_bits<Lane<float, 4>>();
    check_bits<Lane<float, 8>>();
    check_bits<Lane<float, 16>>();
    check_bits<Lane<double, 2>>();
    check_bits<Lane<double, 8>>();
}

TEST_CASE("the change of a neuron far out begins where it comes back") {
    for_each<std::tuple<Tanh, Erf>>([](auto activation) {
        INFO(activation.name);
        CHECK(change(activation, 64.0f, -1.0f, 1.0f) == 0);
        CHECK(change(activation, 64.0f, 1.0f, 0.0f) == 0);
        CHECK(change(activation, 64.0f, -1.0f, 0.0f) == 0);
        CHECK(change(activation, 64.0f, -64.0f, 1.0f) == Catch::Approx(-1).epsilon(1e-5));
        CHECK(change(activation, -64.0f, 1.0f, 128.0f) == Catch::Approx(2 / 128.0).epsilon(1e-5));
        CHECK(change(activation, 0.0f, 1e20f, 1e-3f) == Catch::Approx(1e3).epsilon(1e-5));
    });
    for_each<std::tuple<Gelu, Silu>>([](auto activation) {
        INFO(activation.name);
        CHECK(change(activation, 64.0f, -1.0f, 1.0f) == -1);
        CHECK(change(activation, 64.0f, -128.0f, 1.0f) == Catch::Approx(-64).epsilon(1e-5));
        CHECK(std::abs(change(activation, -64.0f, 1.0f, 1.0f)) < 1e-6f);
        CHECK(change(activation, -64.0f, 128.0f, 1.0f) == Catch::Approx(64).epsilon(1e-5));
    });
}

TEST_CASE("tails keep the signs of values and slopes") {
    for_each<Smooth>([](auto activation) {
        INFO(activation.name);
        for (int i = 1; i <= 2000; ++i) {
            const float z = 0.02f * static_cast<float>(i);
            CHECK(activation.value(z) > 0);
            CHECK(activation.value(-z) < 0);
            CHECK(activation.slope(z) > 0);
            if (z > 2) CHECK((activation.slope(-z) > 0) == (slope(activation, -Wide{z}) > 0));
        }
    });
}

TEST_CASE("a relu's change of an infinitesimal step is the mask") {
    CHECK(change(Relu{}, 0.5f, -3.0f, 0.0f) == -3.0f);
    CHECK(change(Relu{}, -0.5f, 3.0f, 0.0f) == 0.0f);
    CHECK(change(Relu{}, 1e-20f, 7.0f, 0.0f) == 7.0f);
    // A neuron at exactly zero: inactive, but any positive change passes.
    CHECK(change(Relu{}, 0.0f, 2.0f, 1.0f) == 2.0f);
    CHECK(change(Relu{}, 0.0f, -2.0f, 0.0f) == 0.0f);
    const LeakyRelu leaky{0.25};
    CHECK(change(leaky, 0.0f, 2.0f, 0.0f) == 2.0f);
    CHECK(change(leaky, 0.0f, -2.0f, 0.0f) == -0.5f);
    CHECK(change(leaky, -0.5f, 3.0f, 0.0f) == 0.75f);
    CHECK(change(leaky, 0.5f, -3.0f, 0.0f) == -3.0f);
}

TEST_CASE("a leaky relu of slope 0 is a relu, of slope 1 linear") {
    for (const double z : {-2.0, -0.1, 0.0, 0.3})
        for (const double d : {-1.5, 0.2, 3.0})
            for (const double step : {0.0, 1e-3, 1.0, 8.0}) {
                CHECK(change(LeakyRelu{0}, z, d, step) == change(Relu{}, z, d, step));
                CHECK(change(LeakyRelu{1}, z, d, step) == d);
            }
}

TEST_CASE("overflow is not hidden") {
    for_each<All>([](auto activation) {
        INFO(activation.name);
        for (const float z : {-30.0f, -1.0f, 0.0f, 1.0f, 30.0f})
            for (const float step : {0.0f, 1e-3f, 1.0f}) CHECK(std::isnan(change(activation, z, NAN, step)));
        CHECK(std::isnan(activation.value(float{NAN})));
    });
    CHECK(std::isinf(change(Relu{}, 1.0f, INFINITY, 1.0f)));
    CHECK(std::isinf(change(LeakyRelu{}, -1.0f, INFINITY, 1.0f)));
    CHECK(std::isinf(change(Gelu{}, -1.0f, INFINITY, 1.0f)));
    CHECK(change(Tanh{}, 0.0f, INFINITY, 0.5f) == Catch::Approx(2).epsilon(1e-6));
}

TEST_CASE("weight variances keep the length of the activations") {
    // E phi(sqrt(s2) g)^2 by the midpoint rule.
    const auto mean = [](auto activation) {
        const Wide deviation = std::sqrt(Wide{activation.weight_variance()});
        Wide sum = 0;
        constexpr Wide spacing = 1e-3L;
        for (Wide g = -12 + spacing / 2; g < 12; g += spacing)
            sum += std::pow(phi(activation, deviation * g), 2) * std::exp(-g * g / 2) * spacing;
        return static_cast<double>(sum / std::sqrt(2 * pi));
    };
    CHECK(mean(Relu{}) == Catch::Approx(1).epsilon(1e-6));
    CHECK(mean(LeakyRelu{0.3}) == Catch::Approx(1).epsilon(1e-6));
    CHECK(mean(Linear{}) == Catch::Approx(1).epsilon(1e-12));
    CHECK(mean(Gelu{}) == Catch::Approx(1).epsilon(1e-12));
    CHECK(mean(Silu{}) == Catch::Approx(1).epsilon(1e-12));
    // The critical point of a slope of 1 at 0.
    CHECK(Tanh::weight_variance() == 1);
    CHECK(Erf::weight_variance() == 1);
}

TEST_CASE("the names of activations are those of their structs, each once") {
    const auto& table = Names<Activation>::table;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto [name, activation] = table[i];
        CHECK(activation == Activation(i));
        CHECK(name_of(activation) == name);
        CHECK(parse_name<Activation>(name) == activation);
        CHECK(model::visit(activation, 0.1, [](auto each) { return each.name; }) == name);
        CHECK(std::count_if(table.begin(), table.end(), [&](const auto& e) { return e.first == name; }) == 1);
    }
    CHECK(table[0].first == "relu");
    CHECK(table.size() == 7);
    CHECK_THROWS_AS(parse_name<Activation>("Relu"), UsageError);
}

TEST_CASE("activation_of and visit are inverse, and the leak arrives") {
    for_each<All>([](auto activation) {
        using Each = decltype(activation);
        CHECK(name_of(model::activation_of<Each>) == activation.name);
        model::visit(model::activation_of<Each>, 0.1,
                     [](auto visited) { CHECK(std::is_same_v<decltype(visited), Each>); });
    });
    model::visit(model::activation_of<LeakyRelu>, 0.7, [](auto activation) {
        if constexpr (std::is_same_v<decltype(activation), LeakyRelu>) CHECK(activation.leak == 0.7);
    });
}

TEST_CASE("slopes on either side of 0 tell a piecewise linear activation") {
    for_each<All>([](auto activation) {
        INFO(activation.name);
        if constexpr (activation.piecewise_linear) {
            for (const double z : {1e-9, 0.5, 30.0}) {
                CHECK(activation.slope(z) == 1);
                CHECK(activation.slope(-z) == activation.negative_slope());
            }
            CHECK(activation.slope(0.0) == activation.negative_slope());
        }
        for (const double a : {0.5, 3.0})
            CHECK((std::abs(activation.value(a * 0.8) - a * activation.value(0.8)) < 1e-15)
                  == activation.homogeneous);
    });
}

namespace {

// For a list of any length: the place of each struct in it.
struct Other : Relu {
    static constexpr std::string_view name = "other";
};
struct Third : Relu {
    static constexpr std::string_view name = "third";
};
using Three = model::List<Relu, Other, Third>;

} // namespace

TEST_CASE("an activation is its place in the list") {
    CHECK(model::place<Activation, Relu>(Three{}) == Activation{0});
    CHECK(model::place<Activation, Other>(Three{}) == Activation{1});
    CHECK(model::place<Activation, Third>(Three{}) == Activation{2});
    const auto names = model::list_names<Activation>(Three{});
    CHECK(names[1].first == "other");
    CHECK(names[2].second == Activation{2});
}

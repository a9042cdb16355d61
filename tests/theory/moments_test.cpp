#include "etastar/engine/engine.hpp"
#include "etastar/theory/moments.hpp"
#include "etastar/theory/residual.hpp"

#include "catch.hpp"
#include "score.hpp"
#include "support.hpp"

#include <cmath>
#include <random>

using namespace etastar;
using model::Parametrization;
using model::Train;
using theory::Layer;

namespace {

double exact(std::uint32_t n, std::uint32_t depth, Train train = Train::all,
             Parametrization rates = Parametrization::mup) {
    return theory::exact_responses(test::model_of(train, rates, 10), n, depth).hidden.back();
}

double infinite(std::uint32_t depth, Train train = Train::all) {
    return theory::infinite_width_responses(test::model_of(train, Parametrization::mup, 10), 1000, depth)
        .hidden.back();
}

} // namespace

TEST_CASE("exact moments have the known values") {
    CHECK(exact(64, 2) == Catch::Approx(3.078125).epsilon(1e-14));
    CHECK(exact(64, 4) == Catch::Approx(24.120).epsilon(1e-5));
    CHECK(exact(64, 16) == Catch::Approx(2460.39).epsilon(1e-5));
    CHECK(exact(256, 8) == Catch::Approx(182.769).epsilon(1e-5));
    CHECK(exact(1024, 16) == Catch::Approx(1416.12).epsilon(1e-5));
}

TEST_CASE("two layers agree with a direct calculation") {
    // s^2 = W D s^1 + q^1 delta^2 with s^1 = n delta^1 (all layers, mup). One layer: G_1 = n^2 ||delta^1||^2
    // / n.
    for (const std::uint32_t n : {1u, 2u, 7u, 50u}) CHECK(exact(n, 1) == Catch::Approx(0.5).epsilon(1e-14));
    // First layer alone at L = 2: M^2 = c1 W D W^T, E G_2 = (n E M_11^2 + n (n-1) E M_12^2) / (2 n^3) with
    // sum over active neurons of chi-squares: E M_11^2 = (c1 s)^2 (E A^2 + 2 E A), E M_12^2 = (c1 s)^2 E A, A
    // ~ Bin(n, 1/2).
    for (const double n : {2.0, 10.0, 40.0}) {
        const double active = n / 2;
        const double active2 = n / 4 + n * n / 4;
        const double expected = 4 * (n * (active2 + 2 * active) + n * (n - 1) * active) / (2 * n * n * n);
        CHECK(exact(static_cast<std::uint32_t>(n), 2, Train::first)
              == Catch::Approx(expected).epsilon(1e-13));
    }
}

TEST_CASE("the infinite-width limit has its closed forms, and finite widths approach it") {
    for (const double l : {1.0, 2.0, 5.0, 32.0}) {
        const auto depth = static_cast<std::uint32_t>(l);
        CHECK(infinite(depth) == Catch::Approx((2 * l * l * l + l) / 6));
        CHECK(infinite(depth, Train::first) == Catch::Approx(l - 0.5));
        CHECK(infinite(depth, Train::hidden)
              == Catch::Approx((2 * std::pow(l - 1, 3) + (l - 1)) / 6).margin(1e-15));
        for (const auto train : {Train::all, Train::first, Train::hidden})
            CHECK(exact(100'000'000, depth, train)
                  == Catch::Approx(infinite(depth, train)).epsilon(1e-4).margin(1e-12));
        const auto limit = theory::infinite_width_responses(
            test::model_of(Train::all, Parametrization::mup, 10), 1000, depth);
        CHECK(std::sqrt(limit.output) == Catch::Approx(l / 2 + 1));
        CHECK(limit.of(Layer::mean) == Catch::Approx((l + 1) * (l * l + l + 1) / 12));
    }
}

TEST_CASE("exact output response: the read-out alone, and its approach to the limit") {
    // Theta = m_v q^L; after one layer q is a sum of n independent relu(z)^2 with E = 1 and variance 5.
    for (const double n : {2.0, 30.0}) {
        const auto width = static_cast<std::uint32_t>(n);
        CHECK(theory::exact_responses(test::model_of(Train::last, Parametrization::mup, 10), width, 1).output
              == Catch::Approx((n * n + 5 * n) / (n * n)).epsilon(1e-13));
        CHECK(
            theory::exact_responses(test::model_of(Train::last, Parametrization::global, 10), width, 1).output
            == Catch::Approx(n * n + 5 * n).epsilon(1e-13));
    }
    for (const auto train : {Train::all, Train::first, Train::hidden, Train::last})
        for (const auto rates : {Parametrization::mup, Parametrization::global}) {
            const auto e = theory::exact_responses(test::model_of(train, rates, 10), 50'000'000, 6).output;
            const auto i =
                theory::infinite_width_responses(test::model_of(train, rates, 10), 50'000'000, 6).output;
            CHECK(e == Catch::Approx(i).epsilon(1e-5));
        }
}

TEST_CASE("width dependence of the layers' own maximal raw rates") {
    const auto rate = [](std::uint32_t n, Train train, Layer layer) {
        return theory::critical_rate(
            theory::exact_responses(test::model_of(train, Parametrization::global, 10), n, 4).of(layer));
    };
    const auto slope = [&](Train train, Layer layer) {
        return std::log(rate(1 << 21, train, layer) / rate(1 << 20, train, layer)) / std::log(2.0);
    };
    CHECK(slope(Train::first, Layer::last) == Catch::Approx(1).margin(1e-4));
    CHECK(slope(Train::hidden, Layer::last) == Catch::Approx(0).margin(1e-4));
    CHECK(slope(Train::last, Layer::output) == Catch::Approx(-1).margin(1e-4));
}

TEST_CASE("local slopes at large width are -3/2 at large depth, and steeper at n = 1000") {
    const auto slope = [](std::uint32_t n, std::uint32_t depth) {
        return std::log(exact(n, depth) / exact(n, 2 * depth)) / std::log(4.0);
    };
    for (const std::uint32_t depth : {32u, 64u, 256u}) CHECK(std::abs(slope(1'000'000, depth) + 1.5) < 5e-4);
    CHECK(slope(1000, 16) == Catch::Approx(-1.53).margin(0.005));
    CHECK(slope(1000, 256) == Catch::Approx(-2.10).margin(0.005));
}

TEST_CASE("degenerate responses give infinite or unknown rates") {
    const auto frozen = theory::exact_responses(test::model_of(Train::last, Parametrization::mup, 10), 64, 3);
    CHECK(frozen.of(Layer::last) == 0);
    CHECK(std::isinf(theory::critical_rate(frozen.of(Layer::last))));
    CHECK_FALSE(theory::ExactMoments().response(test::model_of(Train::last, Parametrization::mup, 10), 64, 3,
                                                Layer::max));
    CHECK(theory::critical_rate(4.0, 0.01) == Catch::Approx(0.05));
    // Too heavy for double: infinite, not garbage.
    CHECK(theory::exact_responses(test::model_of(Train::all, Parametrization::mup, 10), 1, 2000).hidden.back()
          == HUGE_VAL);
}

namespace {

// One draw of a network of width 4 and depth 3: G_1, G_2, G_3 and Theta^2, from the matrices.
struct Draw {
    double hidden[3];
    double output;
};

Draw draw(const model::Model& model, std::mt19937_64& random) {
    constexpr std::size_t n = 4;
    constexpr std::size_t depth = 3;
    const auto laws = model::layer_laws(model, n, depth);
    std::normal_distribution<double> normal;
    return model::visit_activation(model, [&](auto phi) {
        double w[depth][n][n], z[depth][n], h[depth][n], delta[depth][n], s[n] = {};
        Draw result{};
        for (std::size_t l = 0; l < depth; ++l)
            for (std::size_t i = 0; i < n; ++i) {
                z[l][i] = l == 0 ? std::sqrt(laws.first.gain) * normal(random) : 0;
                for (std::size_t j = 0; l > 0 && j < n; ++j) {
                    w[l][i][j] = laws.hidden.deviation * normal(random);
                    z[l][i] += w[l][i][j] * h[l - 1][j];
                }
                h[l][i] = phi.value(z[l][i]);
            }
        double theta = 0;
        for (std::size_t i = 0; i < n; ++i) {
            delta[depth - 1][i] = phi.slope(z[depth - 1][i]) * normal(random) / n;
            theta += laws.readout.rate * h[depth - 1][i] * h[depth - 1][i];
        }
        for (std::size_t l = depth - 1; l-- > 0;)
            for (std::size_t j = 0; j < n; ++j) {
                delta[l][j] = 0;
                for (std::size_t i = 0; i < n; ++i) delta[l][j] += w[l + 1][i][j] * delta[l + 1][i];
                delta[l][j] *= phi.slope(z[l][j]);
            }
        for (std::size_t l = 0; l < depth; ++l) {
            double own =
                l == 0 ? model.input_dim * laws.first.rate + laws.first.bias_rate : laws.hidden.bias_rate;
            for (std::size_t j = 0; l > 0 && j < n; ++j) own += laws.hidden.rate * h[l - 1][j] * h[l - 1][j];
            double next[n];
            for (std::size_t i = 0; i < n; ++i) {
                next[i] = own * delta[l][i];
                for (std::size_t j = 0; l > 0 && j < n; ++j)
                    next[i] += w[l][i][j] * phi.slope(z[l - 1][j]) * s[j];
                theta += own * delta[l][i] * delta[l][i];
            }
            for (std::size_t i = 0; i < n; ++i) {
                s[i] = next[i];
                result.hidden[l] += s[i] * s[i] / n;
            }
        }
        result.output = theta * theta;
        return result;
    });
}

} // namespace

// 24 scores: Student's |t| > 5.2 has probability 2e-7 each, 5e-6 in all.
TEST_CASE("exact moments of other activations, weight variances and biases are those of small networks") {
    std::mt19937_64 random(20'240'601);
    for (const char* activation : {"relu", "leaky-relu", "linear"})
        for (const bool biases : {false, true}) {
            model::Model model;
            model.activation = parse_name<model::Activation>(activation);
            model.leak = 0.4;
            model.biases = biases;
            model.weight_variance = 1.3;
            model.input_dim = 10;
            test::Score scores[4];
            for (int i = 0; i < 40'000; ++i) {
                const auto one = draw(model, random);
                for (std::size_t l = 0; l < 3; ++l) scores[l].add(one.hidden[l]);
                scores[3].add(one.output);
            }
            REQUIRE(theory::ExactMoments().covers(model));
            const auto exact = theory::exact_responses(model, 4, 3);
            auto other = model;
            other.weight_variance = 1.45;
            const auto off = theory::exact_responses(other, 4, 3);
            INFO(activation << ", biases " << biases);
            for (std::size_t l = 0; l < 3; ++l) CHECK(std::abs(scores[l].z(exact.hidden[l])) < 5.2);
            CHECK(std::abs(scores[3].z(exact.output)) < 5.2);
            CHECK(std::abs(scores[0].z(off.hidden[0])) > 5.2);
            // Wide networks are those of infinite width.
            const auto wide = theory::exact_responses(model, 100'000'000, 6);
            const auto infinite = theory::infinite_width_responses(model, 100'000'000, 6);
            for (const auto layer : {Layer::last, Layer::mean, Layer::output})
                CHECK(wide.of(layer) == Catch::Approx(infinite.of(layer)).epsilon(1e-5));
        }
}

// 4 scores.
TEST_CASE("exact moments of narrow deep ReLU networks with biases know that the dead stay dead") {
    for (const auto train : {model::Train::all, model::Train::hidden}) {
        const model::Model model{.weight_variance = 0.7, .biases = true, .train = train, .input_dim = 3};
        const auto engine = engine::make_engine({.model = model, .kind = engine::EngineKind::implicit});
        const double eta[] = {0.1};
        test::Score response, output;
        for (std::uint64_t seed = 0; seed < 40'000; ++seed) {
            const auto outcome = engine->run({4, 16, seed}, eta);
            response.add(outcome.response.back());
            output.add(outcome.response_output);
        }
        const auto exact = theory::exact_responses(model, 4, 16);
        INFO("train " << name_of(train));
        CHECK(std::abs(response.z(exact.hidden.back())) < 5.2);
        CHECK(std::abs(output.z(exact.output)) < 5.2);
        // In the coin model alone, layers above a dead one go on: half as much again.
        CHECK(std::abs(response.z(1.5 * exact.hidden.back())) > 5.2);
    }
}

// 10 scores.
TEST_CASE("exact moments of linear residual streams are those of small networks") {
    constexpr std::uint32_t width = 3;
    constexpr std::uint32_t depth = 4;
    for (const bool biases : {false, true}) {
        model::Model model;
        model.activation = model::activation_of<model::Linear>;
        model.architecture = model::architecture_of<model::Residual>;
        model.branch_power = 0.3;
        model.biases = biases;
        model.weight_variance = 0.8;
        model.input_dim = 10;
        const auto engine = engine::make_engine({.model = model, .kind = engine::EngineKind::implicit});
        const double eta[] = {0.1};
        test::Score scores[depth + 1];
        for (std::uint64_t seed = 0; seed < 60'000; ++seed) {
            const auto outcome = engine->run({width, depth, seed}, eta);
            for (std::size_t l = 0; l < depth; ++l) scores[l].add(outcome.response[l]);
            scores[depth].add(outcome.response_output);
        }
        REQUIRE(theory::ExactMoments().covers(model));
        const auto exact = theory::exact_responses(model, width, depth);
        INFO("biases " << biases);
        for (std::size_t l = 0; l < depth; ++l) CHECK(std::abs(scores[l].z(exact.hidden[l])) < 5.2);
        CHECK(std::abs(scores[depth].z(exact.output)) < 5.2);
        // Branches a twentieth stronger.
        auto other = model;
        other.branch_power -= 0.035;
        CHECK(std::abs(scores[0].z(theory::exact_responses(other, width, depth).hidden[0])) > 5.2);
        const auto wide = theory::exact_responses(model, 100'000'000, 6);
        for (const auto layer : {Layer::last, Layer::mean, Layer::output})
            CHECK(wide.of(layer)
                  == Catch::Approx(theory::ResidualStream().response(model, 100'000'000, 6, layer).value())
                         .epsilon(1e-5));
        CHECK(theory::ExactMoments().size(model, 5, 6, Layer::mean)
              == theory::ResidualStream().size(model, 5, 6, Layer::mean));
    }
}

TEST_CASE("exact moments know what they do not cover") {
    model::Model model{.input_dim = 10};
    CHECK(theory::ExactMoments().covers(model));
    CHECK(*theory::ExactMoments().size(model, 5, 3, Layer::last) == Catch::Approx(2));
    model.optimizer = model::optimizer_of<model::Sign>;
    CHECK_FALSE(theory::ExactMoments().covers(model));
    model.optimizer = {};
    model.activation = model::activation_of<model::Tanh>;
    CHECK_FALSE(theory::ExactMoments().covers(model));
    model = {.architecture = model::architecture_of<model::Residual>, .input_dim = 10};
    CHECK_FALSE(theory::ExactMoments().covers(model));
}

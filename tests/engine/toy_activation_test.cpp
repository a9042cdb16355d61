// An activation is one struct: the one here is known to nobody else, and the dense engine runs it.
#define ETASTAR_ISA toy

#include "agreement.hpp"
#include "catch.hpp"
#include "engine/dense.hpp"
#include "engine/neuron_loops.hpp"
#include "reference.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

using namespace etastar;
using test::Vector;

namespace {

// phi(z) = tanh(z + 1): smooth, in no unit but its own, and not 0 at 0.
struct Toy {
    static constexpr std::string_view name = "toy";
    static constexpr bool homogeneous = false;
    static constexpr bool piecewise_linear = false;
    static constexpr std::size_t facts = 1;

    static double weight_variance() { return 2; }

    template <class V>
    static V value(V z) {
        return each(z, [](auto x) { return std::tanh(x + 1); });
    }
    template <class V>
    static V slope(V z) {
        const V phi = value(z);
        return (1 - phi) * (1 + phi);
    }
    template <class V>
    static void study(V z, V* known) {
        known[0] = z;
    }
    // tanh a - tanh b = tanh(a - b) (1 - tanh a tanh b)
    template <class V, class Known>
    static V change(Known known, V d, V step, V kink) {
        const V z = V{} + known(0);
        const V moved = d * step;
        const V difference =
            each(moved, [](auto x) { return std::tanh(x); }) * (1 - value(z) * value(z + moved));
        return kink < V{} + 1e30f ? kink * difference : d * slope(z);
    }

private:
    // A scalar, or a vector of the compiler's.
    template <class V, class F>
    static V each(V v, F f) {
        if constexpr (std::is_arithmetic_v<V>) {
            return f(v);
        } else {
            for (std::size_t i = 0; i < sizeof(V) / sizeof(v[0]); ++i) v[i] = f(v[i]);
            return v;
        }
    }
};

// The same for the reference, from textbook formulas.
test::PlainActivation plain_toy() {
    return {[](double z) { return 2 / (1 + std::exp(-2 * (z + 1))) - 1; },
            [](double z) { return std::pow(std::cosh(z + 1), -2); }};
}

test::ExplicitNetwork reference_of(const model::NetworkId& id, const model::Model& model) {
    return {model::RandomNetwork(id, model), model, plain_toy()};
}

template <class T>
engine::NeuronKernels<T> toy_kernels() {
    static const auto sums = engine::toy::sum_kernels<T>();
    static const auto activation = engine::toy::activation_kernels<T, Toy>();
    return {&sums, &activation};
}

template <class T>
engine::DenseEngine<T> toy_engine(const engine::Settings& settings = test::settings()) {
    return engine::DenseEngine<T>(settings, toy_kernels<T>());
}

const model::NetworkId shapes[] = {{1, 3, 4}, {3, 5, 2}, {8, 1, 3}, {33, 3, 5}, {65, 6, 6}};

} // namespace

TEST_CASE("toy activation: change is the difference, without cancellation") {
    const Toy toy;
    for (const double z : {-3.0, -1.0, -0.2, 0.0, 1e-20, 2.0})
        for (const double d : {-2.0, -0.3, 1e-3, 4.0}) {
            for (const double s : {0.1, 1.0, 10.0})
                CHECK(model::change(toy, z, d, s)
                      == Catch::Approx((Toy::value(z + s * d) - Toy::value(z)) / s).epsilon(1e-9));
            for (const double s : {1e-12, 0.0})
                CHECK(model::change(toy, z, d, s) == Catch::Approx(Toy::slope(z) * d).epsilon(1e-10));
        }
}

TEST_CASE("toy activation: forward and backward pass agree with explicit matrices") {
    for (const auto& id : shapes) {
        INFO("n = " << id.width << ", L = " << id.depth);
        auto engine = toy_engine<double>(test::settings());
        const auto outcome = engine.run(id, std::vector<double>{0.1});
        const auto reference = reference_of(id, test::settings().model);
        CHECK(outcome.output == Catch::Approx(reference.output()).epsilon(1e-11).margin(1e-14));
        const auto z = reference.preactivations();
        const auto delta = reference.gradients();
        for (std::size_t l = 0; l < id.depth; ++l)
            for (std::size_t i = 0; i < id.width; ++i) {
                CHECK(engine.preactivation(l + 1, i) == Catch::Approx(z[l][i]).epsilon(1e-11).margin(1e-13));
                CHECK(engine.gradient(l + 1, i) == Catch::Approx(delta[l][i]).epsilon(1e-11).margin(1e-15));
            }
    }
}

TEST_CASE("toy activation: steps, responses and the tangent kernel agree with explicitly updated weights") {
    const std::vector<double> rates{0.01, 0.1, 1.0, 3.0};
    for (const auto train : test::trains)
        for (const auto how : test::parametrizations)
            for (const auto& id : shapes) {
                INFO("n = " << id.width << ", L = " << id.depth << ", train " << name_of(train) << ", rates "
                            << name_of(how));
                const auto settings = test::settings(train, how);
                auto engine = toy_engine<double>(settings);
                const auto outcome = engine.run(id, rates);
                const auto before = reference_of(id, settings.model);
                const auto g = before.responses();
                REQUIRE(outcome.response.size() == g.size());
                for (std::size_t l = 0; l < g.size(); ++l)
                    CHECK(outcome.response[l] == Catch::Approx(g[l]).epsilon(1e-9).margin(1e-26));
                CHECK(outcome.response_output
                      == Catch::Approx(std::pow(before.tangent_kernel(), 2)).epsilon(1e-9).margin(1e-26));
                for (std::size_t k = 0; k < rates.size(); ++k) {
                    INFO("eta = " << rates[k]);
                    const auto after = before.stepped(rates[k]);
                    const auto changes = test::squared_changes(before, after);
                    const auto& step = outcome.steps[k];
                    const double size = 1 + std::abs(after.output());
                    CHECK(step.output_after
                          == Catch::Approx(after.output()).epsilon(1e-9).margin(1e-11 * size));
                    // The reference subtracts: its dz is wrong by some 1e-15.
                    const auto about = [](double dz2) {
                        return Catch::Approx(dz2).epsilon(1e-8).margin(4e-15 * std::sqrt(dz2) + 1e-24);
                    };
                    CHECK(step.dz2_last == about(changes.back()));
                    CHECK(step.dz2_max == about(*std::max_element(changes.begin(), changes.end())));
                    double mean = 0;
                    for (const double change : changes) mean += change / static_cast<double>(changes.size());
                    CHECK(step.dz2_mean == about(mean));
                }
            }
}

TEST_CASE("toy activation: a tiny step is the linear response, in either precision") {
    const auto check = [](auto engine, double relative) {
        for (const model::NetworkId id : {model::NetworkId{64, 4, 1}, {33, 3, 5}}) {
            const std::vector<double> rates{1e-9, 1e-30, 1e-120};
            test::check_linear_steps(engine, id, rates, relative);
            test::check_tangent(engine, id, 1e-6, 1e-15);
        }
    };
    check(toy_engine<float>(), 1e-4);
    check(toy_engine<double>(), 1e-6);
}

TEST_CASE("toy activation: single and double precision compute the same network") {
    const std::vector<double> rates{1e-6, 0.01, 0.1, 1.0};
    test::check_precisions_agree(toy_engine<float>(), toy_engine<double>(), {64, 4, 1}, rates);
}

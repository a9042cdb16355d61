#include "etastar/engine/implicit.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "conditional.hpp"
#include "engine/implicit_kernels.hpp"
#include "precision.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace etastar;
using engine::ImplicitEngine;
using engine::Precision;
using model::Parametrization;
using model::Train;

namespace {

const model::NetworkId shapes[] = {{1, 1, 0}, {1, 4, 1}, {2, 3, 1},  {2, 3, 7},   {3, 5, 2},
                                   {8, 1, 3}, {8, 4, 4}, {65, 6, 6}, {300, 3, 7}, {3000, 2, 8}};

ImplicitEngine engine_of(Precision precision) {
    return ImplicitEngine(test::settings(Train::all, Parametrization::mup, precision));
}

} // namespace

TEST_CASE("implicit: the fused sums are the plain vectors of the conditional law") {
    // 18 rates: more than one panel.
    std::vector<double> rates;
    for (int k = 0; k < 18; ++k) rates.push_back(0.003 * std::pow(1.7, k));
    std::size_t dead = 0;
    for (const auto train : test::trains)
        for (const auto how : test::parametrizations)
            for (const auto& id : shapes) {
                INFO("n = " << id.width << ", L = " << id.depth << ", train " << int(train) << ", rates "
                            << int(how));
                const auto settings = test::settings(train, how, Precision::double_);
                const test::ConditionalNetwork plain(model::RandomNetwork(id, settings.model));
                ImplicitEngine engine(settings);
                const auto outcome = engine.run(id, rates);
                dead += plain.output == 0;
                CHECK(outcome.output == Catch::Approx(plain.output).epsilon(1e-9).margin(1e-14));
                CHECK(outcome.target == plain.target);
                CHECK(std::sqrt(outcome.response_output)
                      == Catch::Approx(plain.tangent_kernel()).epsilon(1e-9).margin(1e-14));
                const auto linear = plain.step(0);
                for (std::size_t l = 0; l < id.depth; ++l)
                    // With one active neuron the parts across h cancel; the root of a rounding error is 1e-8.
                    CHECK(outcome.response[l]
                          == Catch::Approx(linear.changes[l]).epsilon(1e-6).margin(1e-20));
                for (std::size_t k = 0; k < rates.size(); ++k) {
                    const auto step = plain.step(rates[k]);
                    INFO("eta = " << rates[k]);
                    CHECK(outcome.steps[k].output_after
                          == Catch::Approx(step.output_after).epsilon(1e-8).margin(1e-12));
                    CHECK(outcome.steps[k].dz2_last
                          == Catch::Approx(step.changes.back()).epsilon(1e-7).margin(1e-20));
                    CHECK(outcome.steps[k].dz2_max
                          == Catch::Approx(*std::max_element(step.changes.begin(), step.changes.end()))
                                 .epsilon(1e-7)
                                 .margin(1e-20));
                    double mean = 0;
                    for (const double change : step.changes) mean += change / static_cast<double>(id.depth);
                    CHECK(outcome.steps[k].dz2_mean == Catch::Approx(mean).epsilon(1e-7).margin(1e-20));
                }
            }
    CHECK(dead > 0); // some of the shapes have a dead layer
}

TEST_CASE("implicit: single precision agrees with double") {
    const std::vector<double> rates{1e-6, 0.01, 0.1, 1.0};
    for (const model::NetworkId id : {model::NetworkId{64, 4, 1}, {1000, 16, 2}}) {
        auto narrow = engine_of(Precision::single_);
        auto wide = engine_of(Precision::double_);
        const auto a = narrow.run(id, rates);
        const auto b = wide.run(id, rates);
        CHECK(a.output == b.output);
        CHECK(a.response.back() == b.response.back());
        for (std::size_t k = 0; k < rates.size(); ++k)
            CHECK(a.steps[k].dz2_last == Catch::Approx(b.steps[k].dz2_last).epsilon(1e-4));
    }
}

TEST_CASE("implicit: a tiny step is the linear response, in either precision") {
    for (const auto precision : {Precision::single_, Precision::double_})
        for (const model::NetworkId id : {model::NetworkId{64, 4, 1}, {4096, 16, 2}}) {
            auto engine = engine_of(precision);
            for (const double eta : {1e-12, 1e-30, 1e-120}) {
                const double rates[] = {eta};
                const auto outcome = engine.run(id, rates);
                const double unit = std::pow(eta * (outcome.output - outcome.target), 2);
                CHECK(outcome.steps[0].dz2_last / unit
                      == Catch::Approx(outcome.response.back()).epsilon(1e-5));
            }
        }
}

TEST_CASE("implicit: large steps do not overflow single precision") {
    const double rates[] = {1e4, 1e300};
    const model::NetworkId id{256, 16, 1};
    auto narrow = engine_of(Precision::single_);
    auto wide = engine_of(Precision::double_);
    const auto a = narrow.run(id, rates);
    const auto b = wide.run(id, rates);
    REQUIRE(b.steps[0].dz2_last > 1e60);
    CHECK(a.steps[0].dz2_last == Catch::Approx(b.steps[0].dz2_last).epsilon(1e-3));
    const auto rows = trial::first_step_rows(id, rates, a);
    CHECK(rows[1].end.status == trial::Status::nonfinite);
    CHECK(rows[1].dz2_last == HUGE_VAL);
    CHECK(rows[1].response_last == rows[0].response_last);
}

TEST_CASE("implicit: narrow deep networks do not leave the range of single precision") {
    const auto run = [](Precision precision) {
        return [precision](const model::NetworkId& id, const std::vector<double>& rates) {
            return engine_of(precision).run(id, rates);
        };
    };
    const auto difference =
        test::median_difference({16, 1000, 0}, run(Precision::single_), run(Precision::double_));
    CHECK(difference.typical > 0);
    CHECK(difference.typical < 1e-80);
    CHECK(difference.response == 0);
    CHECK(difference.step < 1e-3);
}

TEST_CASE("implicit: variates that do not fit the budget are drawn again with identical results") {
    const std::vector<double> rates{0.01, 0.3};
    const model::NetworkId id{3000, 5, 3};
    for (const auto precision : {Precision::single_, Precision::double_}) {
        const auto run = [&](std::size_t layers) {
            ImplicitEngine engine(test::settings(Train::all, Parametrization::mup, precision,
                                                 layers * 2 * id.width * sizeof(float)));
            return trial::first_step_rows(id, rates, engine.run(id, rates));
        };
        CHECK(test::same_bytes(run(0), run(5)));
        CHECK(test::same_bytes(run(2), run(5)));
    }
}

TEST_CASE("implicit: a rate's row does not depend on the other rates, nor on what ran before") {
    const model::NetworkId id{500, 4, 9};
    std::vector<double> rates;
    for (int k = 0; k < 40; ++k) rates.push_back(0.01 * (k + 1));
    auto engine = engine_of(Precision::single_);
    const auto all = trial::first_step_rows(id, rates, engine.run(id, rates));
    engine.run({7, 9, 1}, rates);
    for (const std::size_t k : {0u, 15u, 16u, 39u}) {
        const double one[] = {rates[k]};
        CHECK(test::same_bytes(trial::first_step_rows(id, one, engine.run(id, one)), {all[k]}));
    }
}

TEST_CASE("implicit: every instruction set gives the same bits") {
    constexpr std::size_t n = 1003;
    std::vector<float> g(n), back(n), fresh(n);
    random::fill_normal(random::Stream({1, 1, 1, 1, random::Role::forward}), 0, n, 1.0f, g.data());
    random::fill_normal(random::Stream({1, 1, 1, 1, random::Role::backward}), 0, n, 1.0f, back.data());
    random::fill_normal(random::Stream({1, 1, 1, 1, random::Role::change}), 0, n, 1.0f, fresh.data());
    const auto panel = [&]<class T>(T, auto kernel) {
        engine::Panel<T> p;
        p.delta_forward = T(0.3);
        p.delta_backward = T(-0.7);
        for (std::size_t k = 0; k < engine::panel_columns; ++k) {
            p.forward[k] = T(0.01) * T(k);
            p.backward[k] = T(0.1) * T(k + 1);
            p.fresh[k] = T(1) / T(k + 2);
            p.kink[k] = T(0.5) * T(k);
        }
        kernel(g.data(), back.data(), fresh.data(), n, p);
        return p;
    };
    const auto bytes_of = [](const auto& value) {
        std::vector<unsigned char> bytes(sizeof(value));
        std::memcpy(bytes.data(), &value, sizeof(value));
        return bytes;
    };
    const auto kernels = engine::supported_implicit_kernels();
    std::vector<std::vector<unsigned char>> expected;
    for (const auto* kernel : kernels) {
        engine::ForwardSums forward;
        engine::BackwardSums backward;
        engine::FreshSums sums;
        kernel->forward(g.data(), n, forward);
        kernel->backward(g.data(), back.data(), n, backward);
        kernel->fresh(g.data(), back.data(), fresh.data(), n, sums);
        const std::vector<std::vector<unsigned char>> bytes{
            bytes_of(forward), bytes_of(backward), bytes_of(sums),
            bytes_of(panel(float{}, kernel->panel_single)), bytes_of(panel(double{}, kernel->panel_double))};
        if (expected.empty()) expected = bytes;
        INFO(kernel->isa);
        CHECK(bytes == expected);
    }
}

TEST_CASE("implicit: costs are linear in the width, and memory is bounded by the budget") {
    const auto cost = [](std::uint32_t width, std::uint32_t depth,
                         std::size_t budget = engine::default_weight_budget) {
        auto settings = test::settings();
        settings.model.input_dim = 8;
        settings.weight_budget = budget;
        return engine::cost(settings, width, depth, 16);
    };
    CHECK(cost(1 << 18, 32).seconds == Catch::Approx(4 * cost(1 << 16, 32).seconds).epsilon(0.05));
    CHECK(cost(1 << 20, 512).bytes < std::size_t{8} << 30);
    CHECK(cost(1 << 20, 512, std::size_t{8} << 30).bytes < std::size_t{8} << 30);
}

#include "etastar/theory/moments.hpp"

#include "agreement.hpp"
#include "catch.hpp"
#include "engine/dense.hpp"
#include "models.hpp"
#include "precision.hpp"
#include "reference.hpp"
#include "support.hpp"

#include <cmath>
#include <random>

using namespace etastar;
using engine::DenseEngine;
using model::Parametrization;
using model::Train;

namespace {

// Every model, and the first of them with every choice of trained layers and rates.
std::vector<model::Model> models() {
    auto all = test::all_models(5);
    for (const auto train : test::trains)
        for (const auto how : test::parametrizations)
            for (const std::size_t base : {0, 1, 5, 16}) {
                all.push_back(all[base]);
                all.back().train = train;
                all.back().parametrization = how;
            }
    return all;
}

engine::Settings settings_of(const model::Model& model) { return {.model = model}; }

const model::NetworkId shapes[] = {{1, 1, 0}, {2, 2, 1}, {3, 5, 2}, {8, 1, 3}, {33, 3, 5}, {65, 5, 6}};

} // namespace

TEST_CASE("forward and backward pass agree with explicit matrices") {
    for (const auto& model : models())
        for (const auto& id : shapes) {
            INFO("n = " << id.width << ", L = " << id.depth << ", " << test::describe(model));
            DenseEngine<double> engine(settings_of(model));
            const double rate[] = {0.1};
            const auto outcome = engine.run(id, rate);
            const test::ExplicitNetwork reference(model::RandomNetwork(id, model), model);
            CHECK(outcome.target == reference.y);
            CHECK(outcome.output == Catch::Approx(reference.output()).epsilon(1e-11).margin(1e-14));
            const auto z = reference.preactivations();
            const auto p = reference.gradients();
            const bool moves = model.train != Train::last;
            for (std::size_t l = 0; l < id.depth; ++l) {
                CHECK(outcome.size[l] == Catch::Approx(test::dot(z[l], z[l]) / id.width).epsilon(1e-11));
                for (std::size_t i = 0; i < id.width; ++i) {
                    CHECK(engine.preactivation(l + 1, i)
                          == Catch::Approx(z[l][i]).epsilon(1e-11).margin(1e-13));
                    if (moves)
                        CHECK(engine.gradient(l + 1, i)
                              == Catch::Approx(p[l][i]).epsilon(1e-11).margin(1e-14));
                }
            }
        }
}

TEST_CASE("the gradients of the reference are the derivatives of its loss") {
    // Central differences by every parameter of a few; kinks are improbable at this step.
    constexpr double h = 1e-6;
    for (const std::size_t which : {0, 9, 25, 33, 39})
        for (const model::NetworkId id : {model::NetworkId{6, 1, 1}, {7, 3, 2}}) {
            const auto model = test::all_models(5)[which];
            INFO(test::describe(model));
            test::ExplicitNetwork network(model::RandomNetwork(id, model), model);
            const auto gradient = network.gradient();
            const double error = network.output() - network.y;
            const auto check = [&](double& parameter, double derivative) {
                const double at = parameter;
                parameter = at + h;
                const double above = network.loss();
                parameter = at - h;
                const double below = network.loss();
                parameter = at;
                CHECK(error * derivative
                      == Catch::Approx((above - below) / (2 * h)).epsilon(1e-6).margin(1e-9));
            };
            for (std::size_t l = 0; l < id.depth; ++l) {
                for (std::size_t i = 0; i < network.weights[l].values.size(); ++i)
                    check(network.weights[l].values[i], gradient.weights[l].values[i]);
                for (std::size_t i = 0; i < id.width; ++i) check(network.biases[l][i], gradient.biases[l][i]);
            }
            for (std::size_t i = 0; i < id.width; ++i) check(network.readout[i], gradient.readout[i]);
        }
}

TEST_CASE("a finite step agrees with explicitly updated weights") {
    // More rates than a panel has columns, in part.
    std::vector<double> rates{0.01, 0.1, 0.5, 1.0, 3.0};
    const auto check_all = [&](const model::Model& model, const model::NetworkId& id) {
        DenseEngine<double> engine(settings_of(model));
        const auto outcome = engine.run(id, rates);
        const test::ExplicitNetwork before(model::RandomNetwork(id, model), model);
        for (std::size_t k = 0; k < rates.size(); ++k) {
            const auto after = before.stepped(rates[k]);
            const auto changes = test::squared_changes(before, after);
            INFO("n = " << id.width << ", L = " << id.depth << ", " << test::describe(model) << ", eta "
                        << rates[k]);
            // The reference subtracts: its dz is wrong by some 1e-15 of z.
            const double size = 1 + std::abs(after.output());
            const double z = 1 + *std::max_element(outcome.size.begin(), outcome.size.end());
            const auto about = [&](double dz2) {
                return Catch::Approx(dz2).epsilon(1e-8).margin(1e-13 * std::sqrt(dz2 * z) + 1e-24 * z);
            };
            const auto& step = outcome.steps[k];
            CHECK(step.output_after == Catch::Approx(after.output()).epsilon(1e-9).margin(1e-11 * size));
            CHECK(step.dz2_last == about(changes.back()));
            CHECK(step.dz2_max == about(*std::max_element(changes.begin(), changes.end())));
            double mean = 0;
            for (const double change : changes) mean += change / static_cast<double>(changes.size());
            CHECK(step.dz2_mean == about(mean));
        }
    };
    for (const auto& model : models())
        for (const auto& id : shapes) check_all(model, id);
    while (rates.size() < 18) rates.push_back(0.003 * static_cast<double>(rates.size()));
    for (const std::size_t which : {0, 22, 40}) check_all(test::all_models(5)[which], {33, 3, 5});
}

TEST_CASE("the linear response and the tangent kernel agree with their definitions") {
    const double rate[] = {0.1};
    for (const auto& model : models())
        for (const auto& id : shapes) {
            DenseEngine<double> engine(settings_of(model));
            const auto outcome = engine.run(id, rate);
            const test::ExplicitNetwork reference(model::RandomNetwork(id, model), model);
            const auto g = reference.responses();
            INFO("n = " << id.width << ", L = " << id.depth << ", " << test::describe(model));
            REQUIRE(outcome.response.size() == g.size());
            for (std::size_t l = 0; l < g.size(); ++l)
                CHECK(outcome.response[l] == Catch::Approx(g[l]).epsilon(1e-9).margin(1e-26));
            CHECK(outcome.response_output
                  == Catch::Approx(std::pow(reference.tangent_kernel(), 2)).epsilon(1e-9).margin(1e-26));
        }
}

TEST_CASE("the steps of all models are their linear response as the rate goes to 0, in single precision") {
    for (const auto& model : test::all_models(5)) {
        INFO(test::describe(model));
        DenseEngine<float> engine(settings_of(model));
        const std::vector<double> rates{1e-9, 1e-30, 1e-120};
        test::check_linear_steps(engine, {64, 6, 1}, rates, 1e-4);
        test::check_precisions_agree(
            DenseEngine<float>(settings_of(model)), DenseEngine<double>(settings_of(model)), {64, 6, 1},
            std::vector<double>{1e-6, 0.01, 0.1, 1.0}, model::step_rule(model.optimizer).signs ? 2e-2 : 1e-3);
    }
}

TEST_CASE("a tiny step is the linear response, in either precision") {
    const auto check = [](auto engine, double relative) {
        for (const model::NetworkId id : {model::NetworkId{64, 4, 1}, {256, 8, 2}, {64, 16, 3}}) {
            const double star = theory::critical_rate(
                theory::exact_responses(test::settings().model, id.width, id.depth).hidden.back());
            for (const double multiple : {1e-9, 1e-30, 1e-120}) {
                const double rates[] = {multiple * star};
                test::check_linear_steps(engine, id, rates, relative);
            }
            test::check_tangent(engine, id, 1e-6 * star, 1e-16);
        }
    };
    check(DenseEngine<float>(test::settings()), 1e-5);
    check(DenseEngine<double>(test::settings()), 1e-6);
}

TEST_CASE("single and double precision compute the same network") {
    const std::vector<double> rates{1e-6, 0.01, 0.1, 1.0};
    for (const auto& id : {model::NetworkId{64, 4, 1}, {200, 8, 2}})
        test::check_precisions_agree(DenseEngine<float>(test::settings()),
                                     DenseEngine<double>(test::settings()), id, rates);
}

TEST_CASE("large steps do not overflow single precision") {
    // At eta = 1e4 the change grows by orders of magnitude a layer: 1e38 is soon passed.
    const double rates[] = {1e4};
    const model::NetworkId id{32, 16, 1};
    DenseEngine<float> narrow(test::settings());
    DenseEngine<double> wide(test::settings());
    const auto a = narrow.run(id, rates);
    const auto b = wide.run(id, rates);
    REQUIRE(b.steps[0].dz2_last > 1e80);
    CHECK(a.steps[0].dz2_last == Catch::Approx(b.steps[0].dz2_last).epsilon(1e-3));
}

TEST_CASE("narrow deep networks do not leave the range of single precision") {
    const auto narrow = [](const model::NetworkId& id, const std::vector<double>& rates) {
        return DenseEngine<float>(test::settings()).run(id, rates);
    };
    const auto wide = [](const model::NetworkId& id, const std::vector<double>& rates) {
        return DenseEngine<double>(test::settings()).run(id, rates);
    };
    // Rounding decides a few masks: the median is of networks that have the same.
    const auto difference = test::median_difference({16, 1000, 0}, narrow, wide);
    CHECK(difference.typical > 0);
    CHECK(difference.typical < 1e-80);
    CHECK(difference.response < 1e-3);
    CHECK(difference.step < 1e-3);
}

TEST_CASE("what leaves the range of double is a nonfinite row, not an error") {
    const std::vector<double> rates{0.1, 1e300};
    DenseEngine<float> engine(test::settings());
    const model::NetworkId id{16, 8, 1};
    const auto rows = trial::first_step_rows(id, rates, engine.run(id, rates));
    CHECK(rows[0].end.status == trial::Status::done);
    CHECK(rows[1].end.status == trial::Status::nonfinite);
    CHECK(rows[1].dz2_last == HUGE_VAL);
    CHECK(std::isfinite(rows[1].response_last));
    for (const auto& row : rows) CHECK(test::intact(row));
}

TEST_CASE("weights that do not fit the budget are drawn again with identical results") {
    const std::vector<double> rates{0.01, 0.3};
    const model::NetworkId id{70, 6, 3};
    const auto run = [&]<class T>(T, std::size_t budget) {
        DenseEngine<T> engine(
            test::settings(Train::all, Parametrization::mup, engine::Precision::single_, budget));
        return trial::first_step_rows(id, rates, engine.run(id, rates));
    };
    for (const std::size_t layers : {0, 1, 3}) {
        const auto budget = [&]<class T>(T) { return layers * aligned_count<T>(70 * 70) * sizeof(T); };
        const auto ample = engine::default_weight_budget;
        CHECK(test::same_bytes(run(float{}, budget(float{})), run(float{}, ample)));
        CHECK(test::same_bytes(run(double{}, budget(double{})), run(double{}, ample)));
    }
}

TEST_CASE("a network does not depend on what the engine ran before, nor on the other rates") {
    const model::NetworkId id{40, 3, 9};
    const std::vector<double> rates{0.01, 0.1, 1.0};
    DenseEngine<double> fresh(test::settings());
    const auto expected = fresh.run(id, rates);
    DenseEngine<double> used(test::settings());
    used.run({100, 7, 1}, rates);
    used.run({3, 2, 1}, rates);
    const auto again = used.run(id, rates);
    CHECK(again.steps[1].dz2_last == expected.steps[1].dz2_last);
    CHECK(again.output == expected.output);
    const auto alone = used.run(id, std::vector<double>{0.1});
    CHECK(alone.output == expected.output);
    CHECK(alone.steps[0].dz2_last == Catch::Approx(expected.steps[1].dz2_last).epsilon(1e-12));
}

TEST_CASE("dead layers give zeros, not NaN") {
    // At n = 2 a quarter of all layers is dead.
    std::size_t dead = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        DenseEngine<float> engine(test::settings());
        const double rates[] = {0.1, 1.0};
        const model::NetworkId id{2, 4, seed};
        const auto outcome = engine.run(id, rates);
        const auto rows = trial::first_step_rows(id, rates, outcome);
        CHECK(rows[0].end.status == trial::Status::done);
        if (outcome.output == 0) {
            ++dead;
            CHECK(outcome.response.back() == 0);
            CHECK(outcome.response_output == 0);
        }
    }
    CHECK(dead > 50);
}

TEST_CASE("costs follow the work and count the kept weights") {
    const auto cost = [](std::uint32_t width, std::uint32_t depth,
                         std::size_t budget = engine::default_weight_budget) {
        auto settings = test::settings();
        settings.kind = engine::EngineKind::dense;
        settings.model.input_dim = 8;
        settings.weight_budget = budget;
        return engine::cost(settings, width, depth, 2);
    };
    const auto small = cost(128, 4);
    const auto deep = cost(128, 8);
    const auto wide = cost(256, 4);
    CHECK(deep.seconds > 1.8 * small.seconds);
    CHECK(wide.seconds > 3 * small.seconds);
    CHECK(wide.bytes > 3 * 256 * 256 * sizeof(float));
    const auto redrawn = cost(256, 4, 0);
    CHECK(redrawn.bytes < 3 * 256 * 256 * sizeof(float));
    CHECK(redrawn.seconds > 1.5 * wide.seconds);
}

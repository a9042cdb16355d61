#include "etastar/theory/moments.hpp"

#include "agreement.hpp"
#include "catch.hpp"
#include "conditional.hpp"
#include "engine/implicit.hpp"
#include "models.hpp"
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

template <class T>
ImplicitEngine<T> engine_of(const model::Model& model = test::settings().model) {
    return ImplicitEngine<T>({.model = model});
}

} // namespace

TEST_CASE("implicit: the fused sums are the plain vectors of the conditional law") {
    // 18 rates: more than one panel.
    std::vector<double> rates;
    for (int k = 0; k < 18; ++k) rates.push_back(0.003 * std::pow(1.7, k));
    std::size_t dead = 0;
    const auto check = [&](const model::Model& model, const model::NetworkId& id) {
        INFO("n = " << id.width << ", L = " << id.depth << ", " << test::describe(model));
        const test::ConditionalNetwork plain(model::RandomNetwork(id, model), model);
        auto engine = engine_of<double>(model);
        const auto outcome = engine.run(id, rates);
        dead += plain.output == 0;
        CHECK(outcome.output == Catch::Approx(plain.output).epsilon(1e-9).margin(1e-14));
        CHECK(outcome.target == plain.target);
        CHECK(std::sqrt(outcome.response_output)
              == Catch::Approx(plain.tangent_kernel()).epsilon(1e-9).margin(1e-14));
        const auto linear = plain.step(0);
        const double z = 1 + *std::max_element(outcome.size.begin(), outcome.size.end());
        for (std::size_t l = 0; l < id.depth; ++l) {
            CHECK(outcome.size[l]
                  == Catch::Approx(test::dot(plain.z[l], plain.z[l]) / id.width).epsilon(1e-11));
            // With one active neuron the parts across h cancel; the root of a rounding error is 1e-8.
            CHECK(outcome.response[l] == Catch::Approx(linear.changes[l]).epsilon(1e-6).margin(1e-20));
        }
        for (std::size_t k = 0; k < rates.size(); ++k) {
            const auto step = plain.step(rates[k]);
            // The plain change subtracts: it is wrong by some 1e-15 of phi(z), whose part across h counts.
            const auto about = [&](double dz2) {
                return Catch::Approx(dz2).epsilon(1e-7).margin(1e-13 * std::sqrt(dz2 * z) + 1e-20);
            };
            INFO("eta = " << rates[k]);
            // The part across h of a change that is all but along it: the root of a rounding error, again.
            const double moved = std::sqrt(*std::max_element(step.changes.begin(), step.changes.end()));
            CHECK(outcome.steps[k].output_after
                  == Catch::Approx(step.output_after).epsilon(1e-8).margin(1e-12 + 1e-7 * moved / id.width));
            CHECK(outcome.steps[k].dz2_last == about(step.changes.back()));
            CHECK(outcome.steps[k].dz2_max
                  == about(*std::max_element(step.changes.begin(), step.changes.end())));
            double mean = 0;
            for (const double change : step.changes) mean += change / static_cast<double>(id.depth);
            CHECK(outcome.steps[k].dz2_mean == about(mean));
        }
    };
    for (const auto train : test::trains)
        for (const auto how : test::parametrizations)
            for (const auto& id : shapes) check(test::settings(train, how).model, id);
    for (const auto& model : test::all_models(5))
        for (const model::NetworkId id : {model::NetworkId{1, 3, 4}, {3, 5, 2}, {8, 4, 4}, {65, 4, 6}})
            check(model, id);
    for (const std::size_t which : {4, 20}) check(test::all_models(5)[which], {2100, 3, 7}); // several blocks
    CHECK(dead > 0); // some of the shapes have a dead layer
}

TEST_CASE("implicit: the steps of all models are their linear response as the rate goes to 0, in either "
          "precision") {
    for (const auto& model : test::all_models(5)) {
        INFO(test::describe(model));
        const std::vector<double> rates{1e-12, 1e-30, 1e-120};
        auto narrow = engine_of<float>(model);
        auto wide = engine_of<double>(model);
        for (const model::NetworkId id : {model::NetworkId{64, 4, 1}, {1100, 8, 2}}) {
            test::check_linear_steps(narrow, id, rates, 1e-4);
            test::check_linear_steps(wide, id, rates, 1e-5);
            test::check_precisions_agree(engine_of<float>(model), engine_of<double>(model), id,
                                         std::vector<double>{1e-6, 0.01, 0.1, 1.0},
                                         model::step_rule(model.optimizer).signs ? 2e-2 : 1e-3);
        }
    }
}

TEST_CASE("implicit: large steps do not overflow single precision") {
    const double rates[] = {1e4, 1e300};
    const model::NetworkId id{256, 16, 1};
    auto narrow = engine_of<float>();
    auto wide = engine_of<double>();
    const auto a = narrow.run(id, rates);
    const auto b = wide.run(id, rates);
    REQUIRE(b.steps[0].dz2_last > 1e60);
    CHECK(a.steps[0].dz2_last == Catch::Approx(b.steps[0].dz2_last).epsilon(1e-3));
    const auto rows = trial::first_step_rows(id, rates, a);
    CHECK(rows[1].end.status == trial::Status::nonfinite);
    CHECK(rows[1].dz2_last == HUGE_VAL);
    CHECK(rows[1].response_last == rows[0].response_last);
}

TEST_CASE("what single precision cannot hold of an activation with a scale of its own is a nonfinite row") {
    model::Model model{.input_dim = 5};
    model.activation = model::activation_of<model::Erf>;
    model.weight_variance = 0.3;
    const auto statuses = [&](engine::EngineKind kind, engine::Precision precision, std::uint32_t depth) {
        const auto engine = engine::make_engine({.model = model, .kind = kind, .precision = precision});
        const double rates[] = {1e-3, 1e50};
        const model::NetworkId id{32, depth, 1};
        std::vector<trial::Status> all;
        for (const auto& row : trial::first_step_rows(id, rates, engine->run(id, rates)))
            all.push_back(row.end.status);
        return all;
    };
    using enum trial::Status;
    for (const auto kind : {engine::EngineKind::dense, engine::EngineKind::implicit}) {
        CHECK(statuses(kind, Precision::single_, 8) == std::vector{done, nonfinite});
        CHECK(statuses(kind, Precision::double_, 8) == std::vector{done, done});
        CHECK(statuses(kind, Precision::single_, 200) == std::vector{nonfinite, nonfinite});
        CHECK(statuses(kind, Precision::double_, 200)[0] == done);
    }
}

TEST_CASE("implicit: narrow deep networks do not leave the range of single precision") {
    const auto run = []<class T>(T) {
        return [](const model::NetworkId& id, const std::vector<double>& rates) {
            return engine_of<T>().run(id, rates);
        };
    };
    const auto difference = test::median_difference({16, 1000, 0}, run(float{}), run(double{}));
    CHECK(difference.typical > 0);
    CHECK(difference.typical < 1e-80);
    CHECK(difference.response < 1e-4);
    CHECK(difference.step < 1e-3);
}

TEST_CASE("implicit: variates that do not fit the budget are drawn again with identical results") {
    const std::vector<double> rates{0.01, 0.3};
    const model::NetworkId id{3000, 5, 3};
    const auto check = [&]<class T>(T, const model::Model& model) {
        const auto run = [&](std::size_t layers) {
            ImplicitEngine<T> engine(
                {.model = model, .weight_budget = layers * 3 * id.width * sizeof(float)});
            return trial::first_step_rows(id, rates, engine.run(id, rates));
        };
        CHECK(test::same_bytes(run(0), run(5)));
        CHECK(test::same_bytes(run(2), run(5)));
    };
    for (const std::size_t which : {0, 1, 22}) {
        check(float{}, test::all_models(5)[which]);
        check(double{}, test::all_models(5)[which]);
    }
}

TEST_CASE("implicit: a rate's row does not depend on the other rates, nor on what ran before") {
    const model::NetworkId id{500, 4, 9};
    std::vector<double> rates;
    for (int k = 0; k < 40; ++k) rates.push_back(0.01 * (k + 1));
    for (const auto& model : test::all_models(5)) {
        auto engine = engine_of<float>(model);
        const auto all = trial::first_step_rows(id, rates, engine.run(id, rates));
        engine.run({7, 9, 1}, rates);
        for (const std::size_t k : {0u, 15u, 16u, 39u}) {
            const double one[] = {rates[k]};
            CHECK(test::same_bytes(trial::first_step_rows(id, one, engine.run(id, one)), {all[k]}));
        }
    }
}

TEST_CASE("implicit: every instruction set gives the same bits") {
    std::vector<double> rates;
    for (int k = 0; k < 21; ++k) rates.push_back(1e-3 * std::pow(1.8, k));
    const model::NetworkId id{1103, 3, 9};
    const auto check = [&]<class T>(T, const model::Model& model) {
        std::vector<trial::FirstStepRow> expected;
        for (const auto* set : engine::supported_kernel_sets()) {
            INFO(set->isa << ", " << test::describe(model));
            ImplicitEngine<T> engine({.model = model}, set->of<T>(model.activation, model.leak));
            const auto rows = trial::first_step_rows(id, rates, engine.run(id, rates));
            if (expected.empty()) expected = rows;
            CHECK(test::same_bytes(rows, expected));
        }
    };
    for (const auto& model : test::all_models(5)) {
        check(float{}, model);
        check(double{}, model);
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

#include "etastar/analysis/prediction.hpp"
#include "etastar/analysis/variance.hpp"

#include "catch.hpp"
#include "coverage.hpp"

#include <cmath>

using namespace etastar;

namespace {

double half(const analysis::Interval& interval) { return (interval.high - interval.low) / 2; }

} // namespace

TEST_CASE("predicted half-widths are those that a sweep then has, up to L/n = 1/16") {
    // 1000 networks: the spread of a half-width is 3 to 4 % of it, and the seeds are fixed.
    const test::CoverageSetting setting{128, {1, 2, 4, 8}, 1000, "linear", 1, {1}, 77'000'000};
    const auto prediction = analysis::predict(test::run_sweep({128, {1, 2, 4, 8}}, 1000, 0).plan);
    const auto fit = test::fit_sweep(setting, setting.networks, setting.first_seed);
    REQUIRE(prediction);
    CHECK_FALSE(prediction->width_exponent);
    CHECK(*prediction->depth_exponent == Catch::Approx(half(fit.law.depth->ci95)).epsilon(0.1));
    const auto& slopes = prediction->widths.at(0).slopes;
    REQUIRE(slopes.size() == 3);
    for (std::size_t i = 0; i < slopes.size(); ++i) {
        CHECK(slopes[i].depth == fit.slopes[i].depth);
        CHECK(slopes[i].half_width == Catch::Approx(half(fit.slopes[i].slope.ci95)).epsilon(0.1));
        // A variance of 1.5 times would be noticed.
        CHECK(slopes[i].half_width * std::sqrt(1.5)
              != Catch::Approx(half(fit.slopes[i].slope.ci95)).epsilon(0.1));
    }
}

TEST_CASE("what cannot be predicted is not") {
    sweep::Spec spec;
    spec.width = {64};
    spec.depth = {2, 4};
    spec.eta = {1};
    spec.seeds = 100;
    spec.model.input_dim = 4;
    CHECK(analysis::predict(plan::Plan(spec)));
    spec.model.train = model::Train::first;
    CHECK_FALSE(analysis::predict(plan::Plan(spec)));
    spec.model.train = model::Train::all;
    spec.seeds = 1;
    CHECK_FALSE(analysis::predict(plan::Plan(spec)));
}

TEST_CASE("weights of cells fall with L/n and never vanish") {
    for (const auto layer :
         {theory::Layer::last, theory::Layer::max, theory::Layer::mean, theory::Layer::output}) {
        double before = HUGE_VAL;
        for (const std::uint32_t depth : {1, 2, 3, 8, 64, 512, 1 << 20}) {
            const double weight = analysis::theory_weight(layer, 64, depth);
            CHECK(weight > 0);
            CHECK(weight <= before);
            before = weight;
        }
    }
}

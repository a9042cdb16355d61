#include "etastar/analysis/allocation.hpp"
#include "etastar/analysis/fit.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/error.hpp"

#include "catch.hpp"
#include "coverage.hpp"
#include "support.hpp"
#include "trained.hpp"

#include <cmath>
#include <numeric>

using namespace etastar;
using analysis::Verdict;
using Counts = std::vector<std::uint64_t>;

namespace {

const std::vector<std::uint32_t> depths{4, 8, 16, 32};

plan::Plan plan_of(double target, std::uint64_t seeds, std::vector<std::uint32_t> widths = {1024}) {
    sweep::Spec spec;
    spec.width = std::move(widths);
    spec.depth = depths;
    spec.eta = {1};
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = seeds;
    spec.target.ci = target;
    return plan::Plan(spec);
}

// log eta* = -3/2 log L in every cell, a network's with this standard deviation at depth 4 and proportional to the root of the
// depth.
std::vector<analysis::CellFit> fits_of(const plan::Plan& plan, const Counts& networks, double deviation) {
    std::vector<analysis::CellFit> fits;
    for (const auto& cell : plan.cells()) {
        analysis::CellFit fit;
        fit.width = cell.width;
        fit.depth = cell.depth;
        fit.networks = networks[fits.size()];
        fit.eta_star = std::pow(cell.depth, -1.5);
        fit.relative_error = deviation * std::sqrt(cell.depth / 4.0 / static_cast<double>(fit.networks));
        fits.push_back(fit);
    }
    return fits;
}

double work_of(const plan::Plan& plan, const Counts& networks) {
    double seconds = 0;
    for (std::size_t i = 0; i < networks.size(); ++i)
        seconds += static_cast<double>(networks[i])
                   * trial::find_kind("first-step")
                         .cost(plan.spec(), plan.cells()[i], engine::default_weight_budget)
                         .seconds;
    return seconds;
}

std::uint64_t sum(const Counts& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

struct Course {
    analysis::Decision last;
    Counts networks;
    std::vector<double> work; // after each round
};

// All rounds.
Course run(const plan::Plan& plan, double deviation, analysis::RoundRules rules = {}) {
    const analysis::Allocation allocation(plan, rules);
    Course course{{}, allocation.first_round(), {}};
    while (true) {
        course.work.push_back(work_of(plan, course.networks));
        course.last = allocation.next(fits_of(plan, course.networks, deviation), course.networks);
        for (std::size_t i = 0; i < course.networks.size(); ++i)
            CHECK(course.last.networks[i] >= course.networks[i]);
        if (course.last.verdict != Verdict::go_on) return course;
        CHECK(course.last.networks != course.networks);
        course.networks = course.last.networks;
    }
}

} // namespace

TEST_CASE("the first round has as many networks of every cell, at most all") {
    CHECK(analysis::Allocation(plan_of(0.1, 1000)).first_round() == Counts(4, 32));
    CHECK(analysis::Allocation(plan_of(0.1, 7)).first_round() == Counts(4, 7));
    CHECK(analysis::Allocation(plan_of(0.1, 1000), {3}).first_round() == Counts(4, 3));
}

TEST_CASE("rounds go on until the interval is short enough, and each is a fixed part of the work before it "
          "at most") {
    for (const double target : {0.2, 0.05, 0.02, 0.005}) {
        const auto plan = plan_of(target, 1'000'000);
        const auto course = run(plan, 0.5);
        CHECK(course.last.verdict == Verdict::reached);
        CHECK(*course.last.half_width <= target);
        if (course.work.size() > 1) CHECK(*course.last.half_width > 0.9 * target); // and no more than that
        for (std::size_t r = 1; r < course.work.size(); ++r) {
            CHECK(course.work[r] < 1.55 * course.work[r - 1]);
            CHECK(course.work[r] > 1.045 * course.work[r - 1]);
        }
        CHECK(course.work.size() < 30);
    }
}

// By Neyman: with costs c, networks go like |dependence of the exponent| x deviation / root of c. One width: the dependence is
// w (x - mean x) / sum w (x - mean x)^2 with x = log L and weights w.
TEST_CASE("networks go where they shorten the interval most for their work") {
    const auto plan = plan_of(0.005, 1'000'000);
    const auto course = run(plan, 0.5);
    std::vector<double> weights;
    double mean = 0;
    for (const auto depth : depths) {
        const double v = (13.2 * (depth - 1.2) + 7.6 * std::exp(-0.75 * (depth - 1.0))) / 1024;
        weights.push_back(1 / std::expm1(v));
        mean += weights.back() * std::log(depth);
    }
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    mean /= total;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < depths.size(); ++i) {
        const double share = std::abs(weights[i] * (std::log(depths[i]) - mean)) * std::sqrt(depths[i])
                             / std::sqrt(work_of(plan, Counts{i == 0, i == 1, i == 2, i == 3}));
        ratios.push_back(static_cast<double>(course.networks[i]) / share);
    }
    for (const double ratio : ratios) CHECK(ratio == Catch::Approx(ratios[0]).epsilon(0.01));

    // Less work than with as many networks of every cell.
    Counts uniform(4, 32);
    const analysis::Allocation allocation(plan);
    while (allocation.next(fits_of(plan, uniform, 0.5), uniform).verdict != Verdict::reached)
        for (auto& count : uniform) count += count / 50 + 1;
    CHECK(course.work.back() < 0.95 * work_of(plan, uniform));
}

TEST_CASE("several widths count as the joint regression has them") {
    const auto plan = plan_of(0.01, 1'000'000, {256, 1024});
    const auto course = run(plan, 0.5);
    CHECK(course.last.verdict == Verdict::reached);
    CHECK(*course.last.half_width > 0.95 * 0.01);
}

TEST_CASE("seeds end, and what would have been needed is told") {
    const auto plan = plan_of(0.02, 400);
    const auto course = run(plan, 0.5);
    CHECK(course.last.verdict == Verdict::seeds_ended);
    CHECK(course.networks == Counts(4, 400));
    CHECK(*course.last.half_width > 0.02);
    REQUIRE(course.last.seeds_needed);
    const auto enough = run(plan_of(0.02, *course.last.seeds_needed), 0.5);
    CHECK(enough.last.verdict == Verdict::reached);
    const auto too_few = run(plan_of(0.02, *course.last.seeds_needed * 85 / 100), 0.5);
    CHECK(too_few.last.verdict == Verdict::seeds_ended);
}

TEST_CASE("what is expected in all is what it then takes") {
    const auto plan = plan_of(0.01, 1'000'000);
    const analysis::Allocation allocation(plan);
    const auto first = allocation.first_round();
    const auto decision = allocation.next(fits_of(plan, first, 0.5), first);
    REQUIRE(decision.expected);
    CHECK(static_cast<double>(sum(*decision.expected))
          == Catch::Approx(static_cast<double>(sum(run(plan, 0.5).networks))).epsilon(0.05));
}

TEST_CASE("cells without a rate get no networks, those without an error do") {
    const auto plan = plan_of(0.01, 1000);
    const analysis::Allocation allocation(plan);
    const auto first = allocation.first_round();
    auto fits = fits_of(plan, first, 0.5);
    fits[1].eta_star.reset();
    fits[2].relative_error = std::nan("");
    const auto decision = allocation.next(fits, first);
    CHECK(decision.verdict == Verdict::go_on);
    CHECK(decision.networks[1] == first[1]);
    CHECK(decision.networks[2] > first[2]);

    for (auto& fit : fits) fit.relative_error = std::nan("");
    const auto unknown = allocation.next(fits, first);
    CHECK(unknown.verdict == Verdict::go_on);
    CHECK_FALSE(unknown.half_width);

    for (std::size_t i = 1; i < fits.size(); ++i) fits[i].eta_star.reset();
    const auto none = allocation.next(fits, first);
    CHECK(none.verdict == Verdict::no_exponent);
    CHECK(none.networks == first);
}

TEST_CASE("the half-width is that of `fit`, and rows beyond a round count for nothing") {
    const test::CoverageSetting setting{128, {2, 4, 8}, 60, "linear", 1, {1}, 3'000'000};
    auto table = test::run_sweep(setting, setting.networks, setting.first_seed);
    auto spec = table.plan.spec();
    spec.target.ci = 1e-3;
    const analysis::Allocation allocation{plan::Plan(spec)};
    const auto decision_of = [&](std::uint64_t networks) {
        std::vector<analysis::CellFit> fits;
        for (auto cell : analysis::cells(table)) {
            cell.networks = networks;
            fits.push_back(allocation.estimate(cell));
        }
        return allocation.next(fits, Counts(fits.size(), networks));
    };
    const auto fit = analysis::fit(table, {}).fits.front();
    const auto all = decision_of(60);
    CHECK(*all.half_width == (fit.law.depth->ci95.high - fit.law.depth->ci95.low) / 2);

    const auto before = decision_of(40);
    auto rows = test::rows_of(table);
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (i % 60 >= 40) {
            rows[i].response_last *= 7;
            rows[i].end.status = i % 2 == 0 ? trial::Status::pending : trial::Status::done;
        }
    CHECK(decision_of(40).networks == before.networks);
    CHECK(decision_of(40).half_width == before.half_width);
    CHECK(decision_of(60).half_width != all.half_width);
    CHECK(analysis::count_rows(table).skipped == 0);
    for (auto& row : rows) row.end.status = trial::Status::skipped;
    CHECK(analysis::count_rows(table).skipped == rows.size());
    CHECK(analysis::count_rows(table).pending == 0);
}

TEST_CASE("training has targets of its own criteria") {
    std::vector<double> etas = test::ratios(0.1, 1.5, 12);
    auto table =
        test::trained({64}, {2, 4}, etas, 40, 3, [](const model::NetworkId& id, std::size_t, double eta) {
            return test::falls_below(eta, 2.0 / id.depth * std::exp(0.02 * double(id.seed % 20)), 3);
        });
    auto spec = table.plan.spec();
    spec.target.ci = 1e-6;
    const analysis::Allocation allocation{plan::Plan(spec)};
    std::vector<analysis::CellFit> fits;
    for (const auto& cell : analysis::cells(table)) fits.push_back(allocation.estimate(cell));
    const auto decision = allocation.next(fits, Counts(2, 40));
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("converges")};
    const auto law = analysis::fit(table, options).fits.front().law;
    REQUIRE(law.depth);
    CHECK(*decision.half_width == (law.depth->ci95.high - law.depth->ci95.low) / 2);
    CHECK(decision.verdict == Verdict::seeds_ended);

    // What the grid leaves open, h^2 = f^2 + g^2 / m: seen where 4 times the networks have shortened an interval by less than
    // a quarter, unless what chance makes of it is all that is missing; the first round's interval is no measure.
    spec.seeds = 100'000;
    const auto verdict = [&](double target, double floor, double chance, std::uint64_t before,
                             std::uint64_t now) {
        spec.target.ci = target;
        const auto half_width = [&](std::uint64_t networks) {
            return std::hypot(floor, chance / std::sqrt(static_cast<double>(networks)));
        };
        std::vector<analysis::CellFit> measured(2);
        for (std::size_t i = 0; i < 2; ++i) {
            measured[i].width = 64;
            measured[i].depth = spec.depth[i];
            measured[i].networks = now;
            measured[i].eta_star = 1.0 / spec.depth[i];
            measured[i].relative_error = half_width(now) / 1.959964 * std::log(2) / std::sqrt(2);
        }
        const std::vector<analysis::Round> former{{Counts(2, before), half_width(before)}};
        const auto next = analysis::Allocation{plan::Plan(spec)}.next(measured, Counts(2, now), former);
        CHECK(*next.half_width == Catch::Approx(half_width(now)).epsilon(0.01));
        return next.verdict;
    };
    CHECK(verdict(0.1, 0.15, 1, 64, 256) == Verdict::grid_limits);
    CHECK(verdict(0.1, 0.15, 1, 64, 255) == Verdict::go_on);
    CHECK(verdict(0.1, 0.15, 1, 63, 256) == Verdict::go_on);
    CHECK(verdict(0.1, 0, 3, 64, 2560) == Verdict::reached);
    CHECK(verdict(0.01, 0, 3, 64, 2560) == Verdict::go_on);
    CHECK(verdict(0.01, 0.005, 3, 64, 256) == Verdict::go_on);
    CHECK(verdict(0.152, 0.15, 1, 64, 256) == Verdict::go_on);
    CHECK(verdict(0.148, 0.15, 1, 64, 256) == Verdict::grid_limits);

    const auto refusal = [](sweep::Spec wrong, const char* name) {
        wrong.target.criterion = name;
        return test::refusal_of<UsageError>([&] { analysis::check_target(wrong); });
    };
    CHECK(refusal(spec, "linear")
          == "target-criterion: 'linear' is not one of converges, best, stable, reaches, the criteria of "
             "--trial "
             "training");
    CHECK(refusal(plan_of(1, 2).spec(), "best")
          == "target-criterion: 'best' is not one of linear, finite, the criteria of --trial first-step");
}

TEST_CASE("what theory forecasts is what a sweep then takes") {
    sweep::Spec spec;
    spec.width = {256};
    spec.depth = {2, 4, 8};
    spec.eta = {1};
    spec.seeds = 3000;
    spec.model.input_dim = 64;
    spec.target.ci = 0.02;
    const plan::Plan plan(spec);
    const auto forecast = analysis::forecast(plan);
    REQUIRE(forecast);
    CHECK(forecast->verdict == Verdict::reached);
    // A sweep of these networks.
    const auto table = test::run_sweep({256, spec.depth}, 1000, 5'000'000);
    const analysis::Allocation allocation(plan);
    std::vector<analysis::CellFit> fits;
    for (auto cell : analysis::cells(table)) {
        cell.networks = forecast->networks[fits.size()];
        REQUIRE(cell.networks <= 1000);
        fits.push_back(allocation.estimate(cell));
    }
    CHECK(*allocation.next(fits, forecast->networks).half_width == Catch::Approx(0.02).epsilon(0.15));

    spec.seeds = 100;
    const auto short_of = analysis::forecast(plan::Plan(spec));
    CHECK(short_of->verdict == Verdict::seeds_ended);
    CHECK(short_of->networks == Counts(3, 100));
    CHECK(*short_of->seeds_needed > 100);

    spec.target.criterion = "finite";
    CHECK_FALSE(analysis::forecast(plan::Plan(spec)));
}

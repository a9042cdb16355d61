// Coverage of the intervals in few sweeps, with fixed seeds; the long table is that of `etastar_coverage`. Each bound is
// wrong with a probability below 2e-6 where the true coverage is between 93 and 97 %, of training 99.5 %: 39 of them, below
// 8e-5 in all.
#include "catch.hpp"
#include "coverage.hpp"
#include "trained.hpp"

#include <cmath>
#include <random>

using namespace etastar;
using test::CoverageSetting;

namespace {

void check(const test::Coverage& measured) {
    for (const auto& cell : measured.cells) CHECK(cell.within(0.93, 0.97));
    for (const auto& slope : measured.slopes) CHECK(slope.within(0.93, 0.97));
    CHECK(measured.exponent.within(0.93, 0.97));
    if (measured.relative.total > 0) CHECK(measured.relative.within(0.93, 0.97));
}

const CoverageSetting first_order{128, {4, 8, 16, 32}, 60, "linear", 1, {1}, 1'000'000};
const CoverageSetting whole_step{128, {2, 4, 8}, 100, "finite", 1, {0.7, 0.9, 1.2, 1.6, 2.1, 2.8}, 5'000'000};

} // namespace

TEST_CASE("intervals of the linear criterion cover") {
    check(test::coverage(first_order, test::exact_truth(first_order), 240));
}

TEST_CASE("intervals of the finite criterion cover") {
    check(test::coverage(whole_step, test::measured_truth(whole_step, 4, 5000), 200));
}

TEST_CASE("intervals of thresholds relative to E z^2, which is 2, cover") {
    auto truth = test::exact_truth(first_order);
    for (double& value : truth.log_rate) value += std::log(2) / 2;
    auto relative = first_order;
    relative.relative = true;
    check(test::coverage(relative, truth, 240));
    // The fluctuation of z^2 counts: without it the truth would be that of absolute thresholds.
    auto wrong = test::coverage(relative, test::exact_truth(first_order), 60);
    for (const auto& cell : wrong.cells) CHECK_FALSE(cell.within(0.93, 0.97));
}

TEST_CASE("too short intervals, and the wrong truth, are noticed") {
    const auto truth = test::exact_truth(first_order);
    const auto shorter = test::coverage(first_order, truth, 240, 0.65);
    for (const auto& cell : shorter.cells) CHECK_FALSE(cell.within(0.93, 0.97));
    CHECK_FALSE(shorter.relative.within(0.93, 0.97));
    CHECK_FALSE(test::Tally{1000, 1000}.within(0.93, 0.97)); // too long ones

    // First order in eta for the whole step.
    auto linear_truth = test::exact_truth(CoverageSetting{128, {2, 4, 8}, 4, "linear", 1, {1}, 0});
    const auto wrong = test::coverage(whole_step, linear_truth, 50);
    for (const auto& cell : wrong.cells) CHECK_FALSE(cell.within(0.93, 0.97));
}

namespace {

// Networks' largest rates whose logarithms are logistic, or normal, of this scale about a median that lies anywhere between
// rates a factor of 2 apart: how often the intervals of `converges` hold the median, over sweeps of one cell each.
test::Tally training_coverage(bool normal, double scale, std::uint64_t networks, double stretch = 1) {
    constexpr std::uint32_t sweeps = 300;
    constexpr std::uint32_t steps = 3;
    const auto etas = test::ratios(1, 2, 10);
    std::vector<std::uint32_t> depths;
    for (std::uint32_t i = 1; i <= sweeps; ++i) depths.push_back(i);
    std::mt19937_64 generator(networks);
    std::uniform_real_distribution<double> uniform;
    std::normal_distribution<double> gaussian;
    std::vector<double> medians;
    double largest = 0;
    const auto table = test::trained(
        {64}, depths, etas, networks, steps, [&](const model::NetworkId& id, std::size_t k, double eta) {
            if (medians.size() < id.depth) medians.push_back(std::log(2) * (4.5 + uniform(generator)));
            if (k == 0) {
                const double p = uniform(generator);
                largest = std::exp(medians.back()
                                   + scale * (normal ? gaussian(generator) : 0.55 * std::log(p / (1 - p))));
            }
            return test::falls_below(eta, largest, steps);
        });
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("converges")};
    options.resamples = 1000;
    test::Tally tally;
    for (const auto& cell : analysis::fit(table, options).fits[0].cells) {
        const double middle = std::log(cell.ci95.low * cell.ci95.high) / 2;
        const double half = stretch * std::log(cell.ci95.high / cell.ci95.low) / 2;
        tally.add({middle - half, middle + half}, medians[cell.depth - 1]);
    }
    return tally;
}

} // namespace

// Conservative where the grid is what limits them, as they do not know where between two rates the median is.
TEST_CASE("intervals of training's largest rate cover") {
    for (const bool normal : {false, true})
        for (const double scale : {0.05, 0.3, 0.8})
            CHECK(training_coverage(normal, scale, 40).within(0.93, 0.995));
    CHECK_FALSE(training_coverage(true, 0.8, 40, 0.6).within(0.93, 0.995));
    CHECK_FALSE(training_coverage(true, 0.05, 40, 0.6).within(0.93, 0.995));
}

namespace {

// Best rates of three widths that are this far apart, in the standard deviation of their logarithms: how often the interval of
// the misalignment holds that.
test::Tally misalignment_coverage(double apart, double stretch = 1) {
    constexpr double scatter = 0.2; // of the networks of a cell
    std::mt19937_64 generator(11);
    std::normal_distribution<double> normal;
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("best")};
    options.resamples = 400;
    test::Tally tally;
    for (int sweep = 0; sweep < 200; ++sweep) {
        double own = 0;
        const auto table =
            test::trained({16, 32, 64}, {2}, test::ratios(0.2, std::sqrt(2), 10), 20, 2,
                          [&](const model::NetworkId& id, std::size_t k, double eta) {
                              if (k == 0) own = scatter * normal(generator);
                              const double star = apart * std::log2(id.width / 32.0) + own;
                              test::MadeUpRun run;
                              for (int t = 0; t <= 2; ++t)
                                  run.loss.push_back(std::exp(t * (std::pow(std::log(eta) - star, 2) - 3)));
                              return run;
                          });
        const auto spread = analysis::fit(table, options).fits[0].misalignment.at(0);
        const double middle = (spread.ci95.low + spread.ci95.high) / 2;
        const double half = stretch * (spread.ci95.high - spread.ci95.low) / 2;
        // The interval of what cannot be negative is closed at 0.
        tally.add({spread.ci95.low < 1e-6 ? -1 : middle - half, middle + half}, apart);
    }
    return tally;
}

} // namespace

// Conservative where they are not apart: what is below the noise bounds them by the noise.
TEST_CASE("intervals of the misalignment cover") {
    for (const double apart : {0.0, 0.05, 0.2}) CHECK(misalignment_coverage(apart).within(0.93, 0.995));
    CHECK_FALSE(misalignment_coverage(0.2, 0.5).within(0.93, 0.995));
}

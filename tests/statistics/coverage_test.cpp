// Coverage of the intervals in few sweeps, with fixed seeds; the long table is that of `etastar_coverage`. Each bound is
// wrong with a probability below 2e-6 where the true coverage is between 93 and 97 %: 29 of them, below 6e-5 in all.
#include "catch.hpp"
#include "coverage.hpp"

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

#include "etastar/analysis/statistics.hpp"

#include "catch.hpp"

#include <cmath>

using namespace etastar::analysis;

TEST_CASE("linear combinations have Student's interval with Welch-Satterthwaite degrees") {
    const Measurement one[] = {{2.0, 0.5, 9}};
    const double unit[] = {1.0};
    const auto single = linear_combination(unit, one);
    CHECK(single.ci95.high - single.value == Catch::Approx(0.5 * 2.262157).epsilon(1e-6)); // t_9
    // Welch's t: variances 0.04 and 0.09 with 4 and 9 degrees: (0.13)^2 / (0.0016/4 + 0.0081/9) = 13.
    const Measurement two[] = {{5.0, 0.2, 4}, {3.0, 0.3, 9}};
    const double difference[] = {1.0, -1.0};
    const auto welch = linear_combination(difference, two);
    CHECK(welch.value == Catch::Approx(2.0));
    CHECK(welch.ci95.high - welch.value == Catch::Approx(std::sqrt(0.13) * 2.160369).epsilon(1e-6));
}

TEST_CASE("weighted regression") {
    // Through three points by hand: weights 1, 4, 1 (errors 1, 1/2, 1).
    const std::vector<Measurement> y{{1.0, 1.0, 1e6}, {2.0, 0.5, 1e6}, {4.0, 1.0, 1e6}};
    const std::vector<std::vector<double>> predictors{{1, 1, 1}, {0, 1, 2}};
    const std::vector<double> weights{1, 4, 1};
    const auto fit = weighted_regression(y, predictors, weights);
    REQUIRE(fit.determined);
    // Normal equations: [6 6; 6 8] b = [13; 16].
    CHECK(fit.coefficients[0].value == Catch::Approx(8.0 / 12));
    CHECK(fit.coefficients[1].value == Catch::Approx(1.5));
    CHECK(fit.coefficients[1].standard_error == Catch::Approx(std::sqrt(6.0 / 12)));
    CHECK(fit.degrees == 1);
    const double residuals[] = {1 - 8.0 / 12, 2 - 8.0 / 12 - 1.5, 4 - 8.0 / 12 - 3};
    const double chi =
        residuals[0] * residuals[0] + 4 * residuals[1] * residuals[1] + residuals[2] * residuals[2];
    CHECK(fit.chi_squared == Catch::Approx(chi));
    CHECK(fit.p_value == Catch::Approx(std::erfc(std::sqrt(chi / 2))));

    CHECK_FALSE(weighted_regression(y, {{1, 1, 1}, {2, 2, 2}}, weights).determined);
    CHECK_FALSE(weighted_regression({}, {{}}, {}).determined);
}

TEST_CASE("crossings") {
    const std::vector<double> x{0, 1, 2, 3, 4, 5};
    const std::vector<double> line{-2, -1, 0, 1, 2, 3};
    CHECK(first_crossing(x, line, 0.25) == Catch::Approx(2.25));
    CHECK(first_crossing(x, line, 3) == Catch::Approx(5));
    CHECK(first_crossing(x, line, -2) == -HUGE_VAL);
    CHECK(first_crossing(x, line, 3.5) == HUGE_VAL);
    // A curve: the cubic is closer than the chord (x^2 through its own points).
    std::vector<double> square;
    for (const double value : x) square.push_back(value * value);
    const double crossing = first_crossing(x, square, 6.25);
    CHECK(std::abs(crossing - 2.5) < 0.01);
    // The first of several.
    CHECK(first_crossing(x, std::vector<double>{0, 2, 0, 2, 0, 2}, 1) < 1);
    // Beside an overflow there is nothing to interpolate; before one there is.
    CHECK(
        std::isnan(first_crossing(x, std::vector<double>{0, 1, HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL}, 2)));
    CHECK(first_crossing(x, std::vector<double>{0, 1, 2, HUGE_VAL, HUGE_VAL, HUGE_VAL}, 1.5)
          == Catch::Approx(1.5));
    CHECK(std::isnan(first_crossing(x, std::vector<double>{-HUGE_VAL, 1, 2, 3, 4, 5}, 0.5)));
    CHECK(first_crossing(x, std::vector<double>{-HUGE_VAL, 1, 2, 3, 4, 5}, 1.5) == Catch::Approx(1.5));
    CHECK(first_crossing(std::vector<double>{0, 1}, std::vector<double>{0, 1}, 0.5) == Catch::Approx(0.5));
    CHECK(first_crossing(std::vector<double>{0}, std::vector<double>{0}, 0.5) == HUGE_VAL);
}

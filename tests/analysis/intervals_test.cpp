#include "etastar/analysis/intervals.hpp"

#include "catch.hpp"

#include <cmath>
#include <random>

using namespace etastar;
using namespace etastar::analysis;

TEST_CASE("log of a mean by cumulants of the logarithm") {
    // Logs 0, 1, 2, 3, 10: k1 = 3.2, k2 = 15.7, k3 = 112.2 by hand; k4 / 24 is not significant in five draws.
    const std::vector<double> logs{0, 1, 2, 3, 10};
    std::vector<double> draws;
    for (const double x : logs) draws.push_back(std::exp(x));
    const auto result = log_mean(draws, {});
    REQUIRE(result.method == IntervalMethod::log_normal);
    CHECK(result.value == Catch::Approx(3.2 + 15.7 / 2 + 112.2 / 6));
    CHECK(result.standard_error
          == Catch::Approx(std::sqrt((15.7 + 15.7 * 15.7 / 2 + std::pow(15.7, 3) / 6) / 5)));
    CHECK(result.degrees == 4);
    CHECK(result.ci95.high - result.value == Catch::Approx(2.776445 * result.standard_error)); // t_4
    double mean = 0;
    for (const double draw : draws) mean += draw / 5;
    CHECK(result.sample == Catch::Approx(std::log(mean)));
}

TEST_CASE("draws of which the logs say little go to the bootstrap") {
    // Zeros have no logarithm; of an even mixture of 1 and 100 the fourth cumulant is large.
    std::vector<double> zeros{0, 1, 2, 1.5, 0.5, 0, 1, 2};
    CHECK(log_mean(zeros, {}).method == IntervalMethod::bootstrap_t);
    std::vector<double> mixture;
    for (int i = 0; i < 400; ++i) mixture.push_back(i % 2 == 0 ? 1 : 100);
    const auto mixed = log_mean(mixture, {});
    CHECK(mixed.method == IntervalMethod::bootstrap_t);
    CHECK(mixed.value == Catch::Approx(std::log(50.5)));
    CHECK(mixed.ci95.low < std::log(50.5));
    CHECK(mixed.ci95.high > std::log(50.5));

    std::mt19937 generator(3);
    std::normal_distribution<double> normal;
    std::vector<double> log_normal;
    for (int i = 0; i < 400; ++i) log_normal.push_back(std::exp(1.5 * normal(generator)));
    CHECK(log_mean(log_normal, {}).method == IntervalMethod::log_normal);
}

TEST_CASE("draws without an interval") {
    CHECK(log_mean({}, {}).method == IntervalMethod::none);
    CHECK(log_mean(std::vector<double>{2}, {}).sample == Catch::Approx(std::log(2)));
    CHECK(std::isnan(log_mean(std::vector<double>{2}, {}).ci95.low));
    CHECK(log_mean(std::vector<double>{1, HUGE_VAL}, {}).method == IntervalMethod::none);
    CHECK(log_mean(std::vector<double>{0, 0, 0}, {}).sample == -HUGE_VAL);
    CHECK(log_mean(std::vector<double>{0, 0, 0}, {}).method == IntervalMethod::none);
    const auto equal = log_mean(std::vector<double>{3, 3, 3}, {});
    CHECK(equal.ci95.low == Catch::Approx(std::log(3)));
    CHECK(equal.standard_error < 1e-8);
    // Nearly all draws are zero, and so are a third of the resamples: the mean may be as large as it likes.
    std::vector<double> dead(40, 0.0);
    dead[0] = 1;
    const auto open = log_mean(dead, {});
    CHECK(std::isnan(open.ci95.high));
    CHECK(open.ci95.low < open.value);
}

TEST_CASE("the Studentised bootstrap covers where few draws are skewed, and can be named") {
    // 1000 experiments of 60 exponential variates: coverage 0.95, standard deviation 0.007. Wrong with 4e-5 (|z| > 4.1)
    // if the true coverage is 0.95; the interval without Student's correction of the skewness covers 0.93.
    std::mt19937 generator(5);
    std::exponential_distribution<double> exponential;
    int covered = 0;
    for (std::uint64_t experiment = 0; experiment < 1000; ++experiment) {
        std::vector<double> draws;
        for (int i = 0; i < 60; ++i) draws.push_back(exponential(generator));
        const auto result = bootstrap_t(draws, {1000, experiment, 0, 0});
        covered += result.ci95.low < 0 && result.ci95.high > 0;
    }
    CHECK(covered > 921);
    CHECK(covered < 979);

    const std::vector<double> draws{0.2, 3.1, 0.5, 1.0, 0.9, 2.4};
    CHECK(bootstrap_t(draws, {500, 1, 0, 0}).ci95.low == bootstrap_t(draws, {500, 1, 0, 0}).ci95.low);
    CHECK(bootstrap_t(draws, {500, 1, 0, 0}).ci95.low != bootstrap_t(draws, {500, 2, 0, 0}).ci95.low);
    CHECK(bootstrap_t(draws, {500, 1, 0, 0}).ci95.low != bootstrap_t(draws, {500, 1, 8, 0}).ci95.low);
}

TEST_CASE("log of a ratio of means by the correlation of the logarithms") {
    // Logs 0, 1, 2, 3, 10 over their halves: correlation 1, so that the errors are subtracted.
    std::vector<double> x;
    std::vector<double> y;
    for (const double log : {0, 1, 2, 3, 10}) {
        x.push_back(std::exp(log));
        y.push_back(std::exp(log / 2.0));
    }
    const auto top = log_mean(x, {});
    const auto bottom = log_mean(y, {});
    const auto ratio = log_ratio(x, y, {});
    REQUIRE(ratio.method == IntervalMethod::log_normal);
    CHECK(ratio.sample == Catch::Approx(top.sample - bottom.sample));
    CHECK(ratio.value == Catch::Approx(top.value - bottom.value));
    CHECK(ratio.standard_error == Catch::Approx(top.standard_error - bottom.standard_error));
    CHECK(ratio.ci95.high - ratio.value == Catch::Approx(2.776445 * ratio.standard_error)); // t_4

    // Over what does not vary it is the mean.
    const std::vector<double> two(5, 2.0);
    const auto halved = log_ratio(x, two, {});
    CHECK(halved.value == Catch::Approx(top.value - std::log(2)));
    CHECK(halved.ci95.low == Catch::Approx(top.ci95.low - std::log(2)));
    CHECK(log_ratio(x, std::vector<double>(5, 0.0), {}).method == IntervalMethod::none);
    CHECK(log_ratio(x, x, {}).standard_error < 1e-12);
}

TEST_CASE("intervals of ratios cover, by either method") {
    // 1000 experiments of 60 pairs with correlated logs: coverage 0.95, standard deviation 0.007. Wrong with 4e-5 (|z| > 4.1)
    // if the true coverage is 0.95. Without the correlation nearly every interval covers.
    for (const bool dead : {false, true}) {
        std::mt19937 generator(11);
        std::normal_distribution<double> normal;
        int covered = 0;
        int without_correlation = 0;
        for (std::uint64_t experiment = 0; experiment < 1000; ++experiment) {
            std::vector<double> x;
            std::vector<double> y;
            for (int i = 0; i < 60; ++i) {
                const double shared = normal(generator);
                x.push_back(std::exp(0.5 * shared + 0.2 * normal(generator)));
                y.push_back(std::exp(0.4 * shared));
                // A dead layer: zero response, half the size.
                if (dead && i < 6) {
                    x.back() = 0;
                    y.back() /= 2;
                }
            }
            const Resampling resampling{400, experiment, 0, 0};
            const auto ratio = log_ratio(x, y, resampling);
            CHECK(ratio.method == (dead ? IntervalMethod::bootstrap_t : IntervalMethod::log_normal));
            const double truth = (0.25 + 0.04 - 0.16) / 2 + (dead ? std::log(0.9 / 0.95) : 0.0);
            covered += ratio.ci95.low < truth && truth < ratio.ci95.high;
            const auto top = log_mean(x, resampling);
            const auto bottom = log_mean(y, resampling);
            const double error = std::hypot(top.standard_error, bottom.standard_error);
            without_correlation += std::abs(ratio.value - truth) < 2 * error;
        }
        CHECK(covered > 921);
        CHECK(covered < 979);
        CHECK(without_correlation > 979);
    }
}

TEST_CASE("control variates") {
    // y = 2 + 3 a - b exactly: nothing is left of the variance, whatever the sample means of a and b.
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> y;
    std::mt19937 generator(7);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 50; ++i) {
        a.push_back(0.5 + normal(generator));
        b.push_back(normal(generator));
        y.push_back(2 + 3 * a.back() - b.back());
    }
    const auto exact = with_controls(y, {a, b});
    REQUIRE(exact.determined);
    CHECK(exact.value == Catch::Approx(2));
    CHECK(exact.standard_error < 1e-12);
    CHECK(exact.degrees == 47);

    // With noise of deviation 0.1 the error is about 0.1 (1/n + 0.5^2/n)^1/2, and the ratio about 10 / 0.01.
    for (double& value : y) value += 0.1 * normal(generator);
    const auto noisy = with_controls(y, {a, b});
    CHECK(noisy.standard_error == Catch::Approx(0.1 * std::sqrt(1.25 / 50)).epsilon(0.35));
    CHECK(noisy.variance_ratio > 300);
    CHECK(std::abs(noisy.value - 2) < 5 * noisy.standard_error);

    // One that does not vary, and one that repeats another, are no controls.
    CHECK_FALSE(with_controls(y, {std::vector<double>(50, 0.0)}).determined);
    CHECK(with_controls(y, {a, a, b}).degrees == 47);
    CHECK_FALSE(with_controls(y, {}).determined);
}

TEST_CASE("ranks about the median") {
    CHECK_FALSE(median_ranks(5).exist); // 2 / 2^5 > 5 %
    CHECK(median_ranks(6).low == 0);
    CHECK(median_ranks(6).high == 5);
    // Tables of the sign test: of 20 draws the 6th and the 15th, of 100 the 40th and the 61st.
    CHECK(median_ranks(20).low == 5);
    CHECK(median_ranks(20).high == 14);
    CHECK(median_ranks(100).low == 39);
    CHECK(median_ranks(100).high == 60);
    CHECK(median({3, 1, 2}) == 2);
    CHECK(median({4, 1, 2, 3}) == 2.5);
}

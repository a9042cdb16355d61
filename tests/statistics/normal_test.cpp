// The variates against the normal distribution. Seeds are fixed; for a correct generator the chance that a
// fresh choice of seeds fails any check here is below 1e-5 (bounds of five standard deviations or more, about
// ten checks).
#include "etastar/random/normal.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace etastar;

namespace {

std::vector<float> draw(std::size_t count, std::uint64_t seed, float scale = 1.0f) {
    std::vector<float> values(count);
    random::fill_normal(random::Stream({seed, 1, 1, 1, random::Role::weights}), 0, count, scale,
                        values.data());
    return values;
}

// z-scores of the first six moments against those of N(0, 1): E x^k and Var x^k = E x^2k - (E x^k)^2.
std::vector<double> moment_scores(const std::vector<float>& values) {
    constexpr double moments[] = {1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395};
    double sums[7] = {};
    for (const float value : values) {
        double power = 1;
        for (int k = 1; k <= 6; ++k) sums[k] += power *= value;
    }
    std::vector<double> scores;
    const auto n = static_cast<double>(values.size());
    for (int k = 1; k <= 6; ++k) {
        const double variance = moments[2 * k] - moments[k] * moments[k];
        scores.push_back((sums[k] / n - moments[k]) / std::sqrt(variance / n));
    }
    return scores;
}

double largest(const std::vector<double>& scores) {
    double worst = 0;
    for (const double score : scores) worst = std::max(worst, std::abs(score));
    return worst;
}

// sqrt(n) times the Kolmogorov-Smirnov distance to N(0, 1); beyond 2.5 with probability 7e-6.
double ks_statistic(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    double distance = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double cdf = 0.5 * std::erfc(-values[i] / std::sqrt(2.0));
        distance =
            std::max({distance, cdf - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - cdf});
    }
    return distance * std::sqrt(n);
}

} // namespace

TEST_CASE("moments of normal variates") {
    constexpr std::size_t count = std::size_t{1} << 25;
    CHECK(largest(moment_scores(draw(count, 1))) < 5);
    // The test would notice a standard deviation wrong by 0.1 %.
    CHECK(largest(moment_scores(draw(count, 1, 1.001f))) > 5);
}

TEST_CASE("distribution of normal variates") {
    constexpr std::size_t count = std::size_t{1} << 22;
    CHECK(ks_statistic(draw(count, 2)) < 2.5);
    // Planted errors: a mean of 0.005, a standard deviation wrong by 0.5 %.
    auto shifted = draw(count, 2);
    for (float& value : shifted) value += 0.005f;
    CHECK(ks_statistic(shifted) > 2.5);
    CHECK(ks_statistic(draw(count, 2, 1.005f)) > 2.5);
}

TEST_CASE("tails of normal variates reach beyond five standard deviations at the right rate") {
    constexpr std::size_t count = std::size_t{1} << 26;
    const auto values = draw(count, 3);
    for (const double bound : {2.0, 3.0, 4.0, 5.0}) {
        const double probability = std::erfc(bound / std::sqrt(2.0));
        const double expected = probability * count;
        const auto beyond = static_cast<double>(
            std::count_if(values.begin(), values.end(), [&](float x) { return std::abs(x) > bound; }));
        INFO(beyond << " beyond " << bound << ", expected " << expected);
        CHECK(std::abs(beyond - expected) < 5 * std::sqrt(expected));
    }
    const float extreme = *std::max_element(values.begin(), values.end());
    CHECK(extreme > 5.0f);
    CHECK(extreme < 6.67f);
}

TEST_CASE("variates are uncorrelated with their neighbours, their squares and other streams") {
    constexpr std::size_t count = std::size_t{1} << 22;
    const auto x = draw(count, 4);
    const auto y = draw(count, 5);
    const double scale = std::sqrt(static_cast<double>(count));
    for (const std::size_t lag : {1u, 2u, 15u, 16u, 17u, 32u, 48u, 64u, 1024u}) {
        double product = 0;
        double squares = 0;
        for (std::size_t i = 0; i + lag < count; ++i) {
            product += double(x[i]) * x[i + lag];
            squares += (double(x[i]) * x[i] - 1) * (double(x[i + lag]) * x[i + lag] - 1) / 2;
        }
        INFO("lag " << lag);
        CHECK(std::abs(product / scale) < 5.5);
        CHECK(std::abs(squares / scale) < 5.5);
    }
    double product = 0;
    for (std::size_t i = 0; i < count; ++i) product += double(x[i]) * y[i];
    CHECK(std::abs(product / scale) < 5.5);
}

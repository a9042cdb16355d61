#include "etastar/analysis/intervals.hpp"

#include "../floating.hpp"
#include "resamples.hpp"

#include <Eigen/Dense>
#include <boost/math/distributions/binomial.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace etastar::analysis {
namespace {

// The fourth cumulant's part k4/24 of log E X is what log_mean leaves out. It is no longer small where it is both beyond
// this many of its own errors and beyond this part of the estimate's.
constexpr double significant = 3;
constexpr double tolerated = 0.3;

// k-statistics: unbiased estimates of the first four cumulants; the third and fourth are 0 below three and four values.
struct Cumulants {
    double first = 0;
    double second = 0;
    double third = 0;
    double fourth = 0;
};

Cumulants cumulants(std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    Cumulants k;
    for (const double value : values) k.first += value / n;
    double m2 = 0;
    double m3 = 0;
    double m4 = 0;
    for (const double value : values) {
        const double d = value - k.first;
        m2 += d * d / n;
        m3 += d * d * d / n;
        m4 += d * d * d * d / n;
    }
    k.second = m2 * n / (n - 1);
    if (n > 2) k.third = m3 * n * n / ((n - 1) * (n - 2));
    if (n > 3) k.fourth = n * n * ((n + 1) * m4 - 3 * (n - 1) * m2 * m2) / ((n - 1) * (n - 2) * (n - 3));
    return k;
}

double mean_of(std::span<const double> draws) {
    double mean = 0;
    for (const double draw : draws) mean += draw / static_cast<double>(draws.size());
    return mean;
}

// Relative errors below this are rounding.
constexpr double no_error = 1e-14;

// Log of a mean, or of a ratio of means, and its error.
struct Estimate {
    double log = 0;
    double error = 0;
};

// The interval of result.value from its Student's ratio in resamples; `draw` estimates one of them, and returns nothing where
// its mean is 0.
template <class Draw>
void studentise(LogMean& result, const Resampling& resampling, Draw&& draw) {
    IndexGenerator generator(
        random::Stream({resampling.seed, resampling.width, resampling.depth, 0, random::Role::resample}));
    std::vector<double> scores;
    for (std::size_t b = 0; b < resampling.resamples; ++b) {
        const std::optional<Estimate> drawn = draw(generator);
        if (!drawn)
            scores.push_back(-infinity);
        else // A resample of one value repeated has no error.
            scores.push_back(drawn->error > no_error ? drawn->log / drawn->error
                                                     : std::copysign(infinity, drawn->log));
    }
    std::sort(scores.begin(), scores.end());
    const auto end = [&](double probability) {
        const double score = quantile(scores, probability);
        return std::isfinite(score) ? result.value - score * result.standard_error : nan;
    };
    result.ci95 = {end((1 + confidence) / 2), end((1 - confidence) / 2)};
}

} // namespace

LogMean log_mean(std::span<const double> draws, const Resampling& resampling) {
    const auto n = static_cast<double>(draws.size());
    LogMean result;
    result.sample = result.value = std::log(mean_of(draws));
    if (draws.size() < 2 || !std::isfinite(result.sample)) return result;
    std::vector<double> logs;
    for (const double draw : draws) logs.push_back(std::log(draw));
    const auto k = cumulants(logs);
    // A zero, or values too far apart for these powers.
    if (!std::isfinite(k.fourth)) return bootstrap_t(draws, resampling);

    const double variance = k.second + k.second * k.second / 2 + std::pow(k.second, 3) / 6;
    result.standard_error = std::sqrt(variance / n);
    const double left_out = std::abs(k.fourth) / 24;
    if (left_out > significant * k.second * k.second / std::sqrt(24 * n)
        && left_out > tolerated * result.standard_error)
        return bootstrap_t(draws, resampling);
    result.value = k.first + k.second / 2 + k.third / 6;
    result.degrees = n - 1;
    result.ci95 = student_interval(result.value, result.standard_error, result.degrees);
    result.method = IntervalMethod::log_normal;
    return result;
}

LogMean bootstrap_t(std::span<const double> draws, const Resampling& resampling) {
    const std::size_t n = draws.size();
    const auto count = static_cast<double>(n);
    const double mean = mean_of(draws);
    LogMean result;
    result.sample = result.value = std::log(mean);
    if (n < 2 || !std::isfinite(result.sample)) return result;

    // Log of a mean and its error from sums over draws / mean.
    const auto estimate = [&](double sum, double squares) {
        const double variance = std::max(0.0, squares / count - std::pow(sum / count, 2)) / (count - 1);
        return Estimate{std::log(sum / count), std::sqrt(variance) / (sum / count)};
    };
    std::vector<double> scaled;
    double squares = 0;
    for (const double draw : draws) {
        scaled.push_back(draw / mean);
        squares += scaled.back() * scaled.back();
    }
    result.standard_error = estimate(count, squares).error;
    result.degrees = count - 1;
    result.method = IntervalMethod::bootstrap_t;
    if (!std::isfinite(result.standard_error)) {
        result.method = IntervalMethod::none;
        return result;
    }
    if (result.standard_error < no_error) {
        result.ci95 = {result.value, result.value};
        return result;
    }

    studentise(result, resampling, [&](IndexGenerator& generator) -> std::optional<Estimate> {
        double sum = 0;
        double sum_of_squares = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const double value = scaled[generator.below(n)];
            sum += value;
            sum_of_squares += value * value;
        }
        if (!(sum > 0)) return std::nullopt;
        return estimate(sum, sum_of_squares);
    });
    return result;
}

namespace {

// Correlation of two samples; 0 where one does not vary.
double correlation(std::span<const double> a, std::span<const double> b) {
    const double mean_a = mean_of(a);
    const double mean_b = mean_of(b);
    double aa = 0;
    double ab = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    const double result = ab / std::sqrt(aa * bb);
    return std::isfinite(result) ? std::clamp(result, -1.0, 1.0) : 0;
}

// Of the pairs, each over its mean. No interval where its error is not finite.
void bootstrap_ratio(std::span<const double> x, std::span<const double> y, const Resampling& resampling,
                     LogMean& result) {
    const std::size_t n = x.size();
    const auto count = static_cast<double>(n);
    const double mean_x = mean_of(x);
    const double mean_y = mean_of(y);
    struct Sums {
        double x = 0;
        double y = 0;
        double xx = 0;
        double xy = 0;
        double yy = 0;
    };
    const auto add = [&](Sums& sums, std::size_t i) {
        const double a = x[i] / mean_x;
        const double b = y[i] / mean_y;
        sums.x += a;
        sums.y += b;
        sums.xx += a * a;
        sums.xy += a * b;
        sums.yy += b * b;
    };
    // By the delta method: the variance of x / mean x - y / mean y.
    const auto estimate = [&](const Sums& sums) {
        const double a = sums.x / count;
        const double b = sums.y / count;
        const double squares = (sums.xx / (a * a) - 2 * sums.xy / (a * b) + sums.yy / (b * b)) / count;
        return Estimate{std::log(a / b), std::sqrt(std::max(0.0, squares) / (count - 1))};
    };
    Sums all;
    for (std::size_t i = 0; i < n; ++i) add(all, i);
    result.standard_error = estimate(all).error;
    if (!std::isfinite(result.standard_error)) return;
    result.degrees = count - 1;
    result.method = IntervalMethod::bootstrap_t;
    if (result.standard_error < no_error) {
        result.ci95 = {result.value, result.value};
        return;
    }
    studentise(result, resampling, [&](IndexGenerator& generator) -> std::optional<Estimate> {
        Sums sums;
        for (std::size_t i = 0; i < n; ++i) add(sums, generator.below(n));
        if (!(sums.x > 0)) return std::nullopt;
        return estimate(sums);
    });
}

std::vector<double> logs_of(std::span<const double> values) {
    std::vector<double> logs;
    for (const double value : values) logs.push_back(std::log(value));
    return logs;
}

} // namespace

LogMean log_ratio(std::span<const double> x, std::span<const double> y, const Resampling& resampling) {
    const auto top = log_mean(x, resampling);
    const auto bottom = log_mean(y, resampling);
    LogMean result;
    result.sample = result.value = top.sample - bottom.sample;
    if (top.method == IntervalMethod::none || bottom.method == IntervalMethod::none) return result;
    if (top.method != IntervalMethod::log_normal || bottom.method != IntervalMethod::log_normal) {
        bootstrap_ratio(x, y, resampling, result);
        return result;
    }
    result.value = top.value - bottom.value;
    const double shared = correlation(logs_of(x), logs_of(y)) * top.standard_error * bottom.standard_error;
    result.standard_error = std::sqrt(
        std::max(0.0, std::pow(top.standard_error, 2) + std::pow(bottom.standard_error, 2) - 2 * shared));
    result.degrees = top.degrees;
    result.ci95 = student_interval(result.value, result.standard_error, result.degrees);
    result.method = IntervalMethod::log_normal;
    return result;
}

Controlled with_controls(std::span<const double> y, const std::vector<std::vector<double>>& controls) {
    Controlled result;
    const auto n = static_cast<Eigen::Index>(y.size());
    const Eigen::Map<const Eigen::VectorXd> response(y.data(), n);
    Eigen::MatrixXd design = Eigen::MatrixXd::Ones(n, 1);
    for (const auto& control : controls) {
        Eigen::MatrixXd more(n, design.cols() + 1);
        more << design, Eigen::Map<const Eigen::VectorXd>(control.data(), n);
        if (more.allFinite() && Eigen::ColPivHouseholderQR<Eigen::MatrixXd>(more).rank() == more.cols())
            design = more;
    }
    const Eigen::Index terms = design.cols();
    if (terms == 1 || n < terms + 2 || !response.allFinite()) return result;

    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(design);
    const Eigen::MatrixXd q = qr.householderQ() * Eigen::MatrixXd::Identity(n, terms);
    const Eigen::MatrixXd r = qr.matrixQR().topRows(terms).triangularView<Eigen::Upper>();
    // How the intercept depends on each y, and what is left of y.
    Eigen::VectorXd unit = Eigen::VectorXd::Zero(terms);
    unit(0) = 1;
    const Eigen::VectorXd weights = q * r.transpose().triangularView<Eigen::Lower>().solve(unit);
    const Eigen::VectorXd residuals = response - q * (q.transpose() * response);

    double variance = 0;
    for (Eigen::Index i = 0; i < n; ++i) {
        const double rest = 1 - q.row(i).squaredNorm();
        if (rest > 1e-12) variance += std::pow(weights(i) * residuals(i) / rest, 2);
    }
    result.determined = true;
    result.value = weights.dot(response);
    result.standard_error = std::sqrt(variance);
    result.degrees = static_cast<double>(n - terms);
    const double all = (response.array() - response.mean()).matrix().squaredNorm();
    const double left = residuals.squaredNorm();
    result.variance_ratio = left > 0 ? all / left : infinity;
    return result;
}

// The number of draws below the median is binomial with probability 1/2.
MedianRanks median_ranks(std::size_t draws) {
    if (draws < 2) return {};
    const boost::math::binomial below(static_cast<double>(draws), 0.5);
    std::size_t low = 0; // largest with P(fewer than or as many as `low` below) <= 2.5 %
    if (cdf(below, 0.0) > (1 - confidence) / 2) return {};
    while (cdf(below, static_cast<double>(low + 1)) <= (1 - confidence) / 2) ++low;
    return {true, low, draws - 1 - low};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : values[middle - 1] / 2 + values[middle] / 2;
}

} // namespace etastar::analysis

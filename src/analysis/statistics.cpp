#include "etastar/analysis/statistics.hpp"

#include "etastar/random/stream.hpp"

#include <Eigen/Dense>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/interpolators/pchip.hpp>
#include <boost/math/tools/roots.hpp>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double confidence = 0.95;
constexpr std::size_t most_replicates = std::size_t{1} << 24; // at once: 128 MiB

// Uniform integers below a bound, from a named stream.
class IndexGenerator {
public:
    explicit IndexGenerator(const random::Stream& stream) : stream_(stream) {}

    // Multiplication by the bound; its bias, bound / 2^32, is far below any bootstrap's resolution.
    std::size_t below(std::size_t bound) {
        if (next_ == random::chunk_size) {
            random::fill_words(stream_, chunk_++, 1, words_);
            next_ = 0;
        }
        return static_cast<std::size_t>((std::uint64_t{words_[next_++]} * bound) >> 32);
    }

private:
    random::Stream stream_;
    std::uint64_t chunk_ = 0;
    std::size_t next_ = random::chunk_size;
    std::uint32_t words_[random::chunk_size];
};

// Every statistic with each sample left out in turn. Sums of the others are formed from prefix and suffix sums:
// taking one value back out of a sum that an infinity entered would give NaN.
std::vector<std::vector<double>> leave_one_out(const Samples& samples,
                                               std::span<const Statistic> statistics) {
    const std::size_t n = samples.count();
    const std::size_t columns = samples.columns;
    std::vector<double> suffix((n + 1) * columns, 0.0);
    for (std::size_t i = n; i-- > 0;)
        for (std::size_t c = 0; c < columns; ++c)
            suffix[i * columns + c] = suffix[(i + 1) * columns + c] + samples.values[i * columns + c];
    std::vector<double> prefix(columns, 0.0);
    std::vector<double> means(columns);
    std::vector<std::vector<double>> values(statistics.size());
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t c = 0; c < columns; ++c) {
            means[c] = (prefix[c] + suffix[(i + 1) * columns + c]) / static_cast<double>(n - 1);
            prefix[c] += samples.values[i * columns + c];
        }
        for (std::size_t s = 0; s < statistics.size(); ++s) values[s].push_back(statistics[s](means));
    }
    return values;
}

// Linear interpolation between order statistics; infinite neighbours win.
double quantile(const std::vector<double>& sorted, double probability) {
    const double position = probability * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(position));
    const auto above = std::min(below + 1, sorted.size() - 1);
    const double t = position - std::floor(position);
    if (t == 0 || sorted[below] == sorted[above]) return sorted[below];
    return sorted[below] + t * (sorted[above] - sorted[below]);
}

// Of leave-one-out values: sums of powers of their deviations below their mean.
struct Jackknife {
    double squares = 0;
    double cubes = 0;
};

Jackknife jackknife(const std::vector<double>& values) {
    double mean = 0;
    for (const double value : values) mean += value / static_cast<double>(values.size());
    Jackknife sums;
    for (const double value : values) {
        const double d = mean - value;
        sums.squares += d * d;
        sums.cubes += d * d * d;
    }
    return sums;
}

// Bias-corrected and accelerated, from the statistic of every resample that has one.
Interval accelerated_interval(std::vector<double> replicates, double value, const Jackknife& sums) {
    std::sort(replicates.begin(), replicates.end());
    const boost::math::normal standard;
    const auto below = static_cast<double>(std::lower_bound(replicates.begin(), replicates.end(), value)
                                           - replicates.begin());
    const auto count = static_cast<double>(replicates.size());
    const double bias = quantile(standard, std::clamp(below / count, 0.5 / count, 1 - 0.5 / count));
    const double acceleration = sums.cubes / (6 * std::pow(sums.squares, 1.5));
    const auto adjusted = [&](double probability) {
        const double z = bias + quantile(standard, probability);
        return cdf(standard, bias + z / (1 - acceleration * z));
    };
    return {quantile(replicates, adjusted((1 - confidence) / 2)),
            quantile(replicates, adjusted((1 + confidence) / 2))};
}

// The statistics of every resample, those that are NaN left out.
std::vector<std::vector<double>> resample(const Samples& samples,
                                          std::span<const Statistic* const> statistics, std::size_t resamples,
                                          const random::Stream& stream) {
    const std::size_t n = samples.count();
    const std::size_t columns = samples.columns;
    IndexGenerator generator(stream);
    std::vector<std::vector<double>> replicates(statistics.size());
    for (auto& values : replicates) values.reserve(resamples);
    std::vector<double> means(columns);
    for (std::size_t b = 0; b < resamples; ++b) {
        std::fill(means.begin(), means.end(), 0.0);
        for (std::size_t i = 0; i < n; ++i) {
            const double* sample = &samples.values[generator.below(n) * columns];
            for (std::size_t c = 0; c < columns; ++c) means[c] += sample[c];
        }
        for (double& m : means) m /= static_cast<double>(n);
        for (std::size_t s = 0; s < statistics.size(); ++s)
            if (const double value = (*statistics[s])(means); !std::isnan(value))
                replicates[s].push_back(value);
    }
    return replicates;
}

} // namespace

std::vector<double> column_means(const Samples& samples) {
    std::vector<double> means(samples.columns, 0.0);
    for (std::size_t i = 0; i < samples.values.size(); ++i) means[i % samples.columns] += samples.values[i];
    for (double& mean : means) mean /= static_cast<double>(samples.count());
    return means;
}

BootstrapResult bootstrap(const Samples& samples, const Statistic& statistic, std::size_t resamples,
                          std::uint64_t seed, std::uint32_t width, std::uint32_t depth) {
    return bootstrap(samples, std::span(&statistic, 1), resamples, seed, width, depth).front();
}

std::vector<BootstrapResult> bootstrap(const Samples& samples, std::span<const Statistic> statistics,
                                       std::size_t resamples, std::uint64_t seed, std::uint32_t width,
                                       std::uint32_t depth) {
    const std::size_t n = samples.count();
    std::vector<BootstrapResult> results;
    const auto means = column_means(samples);
    for (const auto& statistic : statistics) results.push_back({statistic(means), nan, {}});
    if (n < 2) return results;

    const auto left_out = leave_one_out(samples, statistics);
    std::vector<Jackknife> sums(statistics.size());
    std::vector<std::size_t> open; // whose interval takes resampling
    for (std::size_t s = 0; s < statistics.size(); ++s) {
        auto& result = results[s];
        if (!std::isfinite(result.value)) continue;
        sums[s] = jackknife(left_out[s]);
        if (!std::isfinite(sums[s].squares)) continue;
        result.standard_error =
            std::sqrt(sums[s].squares * static_cast<double>(n - 1) / static_cast<double>(n));
        if (sums[s].squares == 0)
            result.ci95 = {result.value, result.value};
        else
            open.push_back(s);
    }

    // A group of statistics at a time, each from the same stream, so that their replicates fit into memory.
    const std::size_t group = std::max<std::size_t>(1, most_replicates / std::max<std::size_t>(1, resamples));
    for (std::size_t first = 0; first < open.size(); first += group) {
        const std::size_t last = std::min(open.size(), first + group);
        std::vector<const Statistic*> chosen;
        for (std::size_t i = first; i < last; ++i) chosen.push_back(&statistics[open[i]]);
        auto replicates = resample(samples, chosen, resamples,
                                   random::Stream({seed, width, depth, 0, random::Role::resample}));
        for (std::size_t i = first; i < last; ++i) {
            auto& values = replicates[i - first];
            // Replicates that have no answer at all leave the interval unknown rather than too narrow.
            if (values.size() * 20 < resamples * 19) continue;
            auto& result = results[open[i]];
            result.ci95 = accelerated_interval(std::move(values), result.value, sums[open[i]]);
        }
    }
    return results;
}

LinearEstimate linear_combination(std::span<const double> weights,
                                  std::span<const Measurement> measurements) {
    LinearEstimate estimate;
    double variance = 0;
    double uncertainty = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double term = std::pow(weights[i] * measurements[i].standard_error, 2);
        estimate.value += weights[i] * measurements[i].value;
        variance += term;
        uncertainty += term * term / measurements[i].degrees;
    }
    estimate.standard_error = std::sqrt(variance);
    const double degrees = uncertainty > 0 ? variance * variance / uncertainty : infinity;
    // Beyond this many degrees Student's t is the normal distribution to every digit shown.
    const boost::math::students_t student(std::clamp(degrees, 1.0, 1e9));
    const double half = quantile(student, (1 + confidence) / 2) * estimate.standard_error;
    estimate.ci95 = {estimate.value - half, estimate.value + half};
    return estimate;
}

Regression weighted_regression(std::span<const Measurement> measurements,
                               const std::vector<std::vector<double>>& predictors) {
    const auto points = static_cast<Eigen::Index>(measurements.size());
    const auto terms = static_cast<Eigen::Index>(predictors.size());
    Regression regression;
    if (points < terms || terms == 0) return regression;

    Eigen::MatrixXd design(points, terms);
    Eigen::VectorXd response(points);
    Eigen::VectorXd inverse_error(points);
    for (Eigen::Index i = 0; i < points; ++i) {
        const auto& m = measurements[static_cast<std::size_t>(i)];
        inverse_error(i) = 1 / std::max(m.standard_error, 1e-12);
        response(i) = m.value * inverse_error(i);
        for (Eigen::Index j = 0; j < terms; ++j)
            design(i, j) =
                predictors[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)] * inverse_error(i);
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(design);
    if (qr.rank() < terms) return regression;

    // Row j of the pseudo-inverse, times 1/error, is how coefficient j depends on each measurement.
    const Eigen::MatrixXd solution = qr.solve(Eigen::MatrixXd::Identity(points, points));
    for (Eigen::Index j = 0; j < terms; ++j) {
        std::vector<double> weights(measurements.size());
        for (Eigen::Index i = 0; i < points; ++i)
            weights[static_cast<std::size_t>(i)] = solution(j, i) * inverse_error(i);
        regression.coefficients.push_back(linear_combination(weights, measurements));
    }
    regression.determined = true;
    regression.degrees = static_cast<std::size_t>(points - terms);
    regression.chi_squared = (response - design * qr.solve(response)).squaredNorm();
    if (regression.degrees > 0) {
        const boost::math::chi_squared distribution(static_cast<double>(regression.degrees));
        regression.p_value = cdf(complement(distribution, regression.chi_squared));
    }
    return regression;
}

double first_crossing(std::span<const double> x, std::span<const double> y, double level) {
    std::size_t above = 0;
    while (above < y.size() && y[above] < level) ++above;
    if (above == y.size()) return infinity;
    if (std::isnan(y[above])) return nan;
    if (above == 0) return -infinity;
    if (!std::isfinite(y[above]) || !std::isfinite(y[above - 1])) return nan;
    const double left = x[above - 1];
    const double right = x[above];

    // The slopes of a PCHIP at both ends of a piece depend on the neighbouring points alone.
    constexpr std::size_t window = 4;
    std::size_t first = above >= 2 ? above - 2 : 0;
    if (first + window > y.size()) first = y.size() >= window ? y.size() - window : 0;
    while (first + 1 < above && !std::isfinite(y[first])) ++first;
    std::vector<double> px;
    std::vector<double> py;
    for (std::size_t i = first; i < y.size() && px.size() < window && std::isfinite(y[i]); ++i) {
        px.push_back(x[i]);
        py.push_back(y[i]);
    }
    if (px.size() < window) return left + (right - left) * (level - y[above - 1]) / (y[above] - y[above - 1]);

    const boost::math::interpolators::pchip<std::vector<double>> spline(std::move(px), std::move(py));
    const auto difference = [&](double at) { return spline(at) - level; };
    if (difference(right) <= 0) return right;
    std::uintmax_t iterations = 100;
    const auto root =
        boost::math::tools::toms748_solve(difference, left, right, y[above - 1] - level, difference(right),
                                          boost::math::tools::eps_tolerance<double>(45), iterations);
    return (root.first + root.second) / 2;
}

} // namespace etastar::analysis

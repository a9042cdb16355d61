#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace etastar::analysis {

struct Interval {
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

// Samples x columns, row-major: one row per network, one column per quantity.
struct Samples {
    std::size_t columns = 1;
    std::vector<double> values;
    std::size_t count() const { return values.size() / columns; }
};

std::vector<double> column_means(const Samples& samples);

// A statistic of the column means. May return -infinity or +infinity where the answer lies below or above
// what the samples can tell.
using Statistic = std::function<double(std::span<const double> means)>;

struct BootstrapResult {
    double value = 0;          // of the samples themselves
    double standard_error = 0; // jackknife; NaN where a leave-one-out value is not finite
    Interval ci95;             // bias-corrected and accelerated bootstrap
};

// Resamples networks. Bias-corrected and accelerated intervals (Efron, J. Am. Stat. Assoc. 82, 1987) because
// the responses are skewed; they are those of scipy.stats.bootstrap. Reproducible: `seed` and `cell` name the
// random stream. With fewer than two samples the error and the interval are NaN.
BootstrapResult bootstrap(const Samples& samples, const Statistic& statistic, std::size_t resamples,
                          std::uint64_t seed, std::uint32_t width, std::uint32_t depth);

// The same of several statistics from one resampling: each result is that of the statistic alone.
std::vector<BootstrapResult> bootstrap(const Samples& samples, std::span<const Statistic> statistics,
                                       std::size_t resamples, std::uint64_t seed, std::uint32_t width,
                                       std::uint32_t depth);

// A value known with a standard error that was itself estimated with some degrees of freedom.
struct Measurement {
    double value = 0;
    double standard_error = 0;
    double degrees = 0;
};

struct LinearEstimate {
    double value = 0;
    double standard_error = 0;
    Interval ci95; // Student's t
};

// sum_i weights[i] * measurements[i].value for independent measurements; degrees of freedom of the combined
// error by Welch and Satterthwaite.
LinearEstimate linear_combination(std::span<const double> weights, std::span<const Measurement> measurements);

struct Regression {
    bool determined = false; // false: collinear or too few points
    std::vector<LinearEstimate> coefficients;
    double chi_squared = 0;  // of the residuals, in units of the measurements' errors
    std::size_t degrees = 0; // points - coefficients
    double p_value = 1;      // of a chi_squared at least as large if the model held
};

// Weighted least squares of the measurements on `predictors` (each as long as the measurements), weights
// 1/error^2.
Regression weighted_regression(std::span<const Measurement> measurements,
                               const std::vector<std::vector<double>>& predictors);

// First upward crossing of `level` by y(x), x ascending: a monotone cubic (PCHIP) through the neighbouring
// points, a line where fewer than four are finite. -infinity when y already starts at or above the level,
// +infinity when it never gets there, NaN when the crossing lies next to a point that is not finite.
double first_crossing(std::span<const double> x, std::span<const double> y, double level);

} // namespace etastar::analysis

#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace etastar::analysis {

constexpr double confidence = 0.95; // of every interval

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

// A value known with a standard error that was itself estimated with some degrees of freedom.
struct Measurement {
    double value = 0;
    double standard_error = 0;
    double degrees = 0;
};

// Of 95 %, by Student's t with these degrees of freedom, as if one where there are fewer.
Interval student_interval(double value, double standard_error, double degrees);

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
    std::vector<std::vector<double>> dependence; // of each coefficient on each measurement's value
    double chi_squared = 0;  // least sum of squared residuals in units of the measurements' errors
    std::size_t degrees = 0; // points - coefficients
    double p_value = 1;      // of a chi_squared at least as large if the model held
};

// Weighted least squares of the measurements on `predictors` (each as long as the measurements); `weights` are positive
// and known beforehand. The errors are those that follow from the measurements' own.
Regression weighted_regression(std::span<const Measurement> measurements,
                               const std::vector<std::vector<double>>& predictors,
                               std::span<const double> weights);

// First upward crossing of `level` by y(x), x ascending: a monotone cubic (PCHIP) through the neighbouring
// points, a line where fewer than four are finite. -infinity when y already starts at or above the level,
// +infinity when it never gets there, NaN when the crossing lies next to a point that is not finite.
double first_crossing(std::span<const double> x, std::span<const double> y, double level);

} // namespace etastar::analysis

#include "etastar/analysis/statistics.hpp"

#include "../floating.hpp"

#include <Eigen/Dense>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/interpolators/pchip.hpp>
#include <boost/math/tools/roots.hpp>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {

std::vector<double> column_means(const Samples& samples) {
    std::vector<double> means(samples.columns, 0.0);
    for (std::size_t i = 0; i < samples.values.size(); ++i) means[i % samples.columns] += samples.values[i];
    for (double& mean : means) mean /= static_cast<double>(samples.count());
    return means;
}

Interval student_interval(double value, double standard_error, double degrees) {
    // Beyond this many degrees Student's t is the normal distribution to every digit shown.
    const boost::math::students_t student(std::clamp(degrees, 1.0, 1e9));
    const double half = quantile(student, (1 + confidence) / 2) * standard_error;
    return {value - half, value + half};
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
    estimate.ci95 = student_interval(estimate.value, estimate.standard_error, degrees);
    return estimate;
}

Regression weighted_regression(std::span<const Measurement> measurements,
                               const std::vector<std::vector<double>>& predictors,
                               std::span<const double> weights) {
    const auto points = static_cast<Eigen::Index>(measurements.size());
    const auto terms = static_cast<Eigen::Index>(predictors.size());
    Regression regression;
    if (points < terms || terms == 0) return regression;

    Eigen::MatrixXd design(points, terms);
    Eigen::VectorXd values(points);
    Eigen::VectorXd roots(points);
    Eigen::VectorXd inverse_error(points);
    for (Eigen::Index i = 0; i < points; ++i) {
        const auto& m = measurements[static_cast<std::size_t>(i)];
        inverse_error(i) = 1 / std::max(m.standard_error, 1e-12);
        roots(i) = std::sqrt(weights[static_cast<std::size_t>(i)]);
        values(i) = m.value;
        for (Eigen::Index j = 0; j < terms; ++j)
            design(i, j) = predictors[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)];
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(roots.asDiagonal() * design);
    if (qr.rank() < terms) return regression;

    // Row j of the pseudo-inverse, times the root of the weight, is how coefficient j depends on each measurement.
    const Eigen::MatrixXd solution = qr.solve(Eigen::MatrixXd::Identity(points, points));
    for (Eigen::Index j = 0; j < terms; ++j) {
        std::vector<double> dependence(measurements.size());
        for (Eigen::Index i = 0; i < points; ++i)
            dependence[static_cast<std::size_t>(i)] = solution(j, i) * roots(i);
        regression.coefficients.push_back(linear_combination(dependence, measurements));
        regression.dependence.push_back(std::move(dependence));
    }
    regression.determined = true;
    regression.degrees = static_cast<std::size_t>(points - terms);

    // The least there can be for these errors: its law does not depend on the weights.
    const Eigen::MatrixXd scaled = inverse_error.asDiagonal() * design;
    const Eigen::VectorXd response = inverse_error.asDiagonal() * values;
    regression.chi_squared =
        (response - scaled * Eigen::ColPivHouseholderQR<Eigen::MatrixXd>(scaled).solve(response))
            .squaredNorm();
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

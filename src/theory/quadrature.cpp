#include "quadrature.hpp"

#include <Eigen/Eigenvalues>
#include <boost/math/quadrature/gauss.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

namespace etastar::theory {
namespace {

constexpr double reach = 8; // standard deviations: 1e-15 of the probability lies outside
constexpr double inverse_root_two_pi = 0.3989422804014327;

// Of [-1, 1].
template <unsigned Nodes>
Rule legendre() {
    using Gauss = boost::math::quadrature::gauss<double, Nodes>;
    Rule rule;
    for (std::size_t i = 0; i < Gauss::abscissa().size(); ++i)
        for (const double sign : {-1.0, 1.0}) rule.add(sign * Gauss::abscissa()[i], Gauss::weights()[i]);
    return rule;
}

} // namespace

double decay(double t) {
    if (!(t < 708)) return 0;
    // e^-t = (e^-x)^1024 would lose digits; 2^-k e^-x instead, with t = k ln 2 + x in two parts of ln 2.
    constexpr double log2e = 1.4426950408889634;
    constexpr double high = 0.693147180369123816490;
    constexpr double low = 1.90821492927058770002e-10;
    const double k = std::floor(t * log2e + 0.5);
    const double x = (t - k * high) - k * low;
    double sum = 1;
    for (int j = 14; j > 0; --j) sum = 1 - x / j * sum;
    return std::ldexp(sum, -static_cast<int>(k));
}

double arctangent(double t) {
    if (std::isinf(t)) return 1.5707963267948966;
    // Three times half the angle, then the series.
    double scale = 1;
    for (int i = 0; i < 4; ++i) {
        if (t < 0.1) break;
        t = t > 1e100 ? 1 : t / (1 + std::sqrt(1 + t * t));
        scale *= 2;
    }
    const double x = t * t;
    double sum = 0;
    for (int j = 23; j > 0; j -= 2) sum = 1.0 / j - x * sum;
    return scale * t * sum;
}

double kink(double t, double arctan) {
    if (t > 0.125) return (1 - arctan / t) / t;
    // t (1/3 - t^2/5 + t^4/7 - ...), to 1e-17 of the sum.
    const double x = t * t;
    double sum = 1.0 / 11 - x * (1.0 / 13);
    if (t > 0.01)
        sum = 1.0 / 11 - x * (1.0 / 13 - x * (1.0 / 15 - x * (1.0 / 17 - x * (1.0 / 19 - x * (1.0 / 21)))));
    return t * (1.0 / 3 - x * (1.0 / 5 - x * (1.0 / 7 - x * (1.0 / 9 - x * sum))));
}

Rule panels(double low, double high, double longest, std::span<const Feature> features, Fineness fineness) {
    static const Rule coarse = legendre<10>();
    static const Rule fine = legendre<20>();
    const Rule& unit = fineness == Fineness::fine ? fine : coarse;
    Rule rule;
    const auto add = [&](double from, double to) {
        const double half = (to - from) / 2;
        for (std::size_t i = 0; i < unit.size(); ++i)
            rule.add(from + half * (1 + unit.nodes[i]), half * unit.weights[i]);
    };
    // From each stretch between features, from both of its ends towards the middle.
    std::vector<double> edges{low, high};
    for (const auto& feature : features)
        if (feature.at > low && feature.at < high) edges.push_back(feature.at);
    std::sort(edges.begin(), edges.end());
    const auto length = [&](double from, double direction) {
        // The longest panel from here on: none of its points may be nearer to a feature than half its length allows.
        double most = longest;
        for (const auto& feature : features) {
            const double ahead = (feature.at - from) * direction;
            const double distance = std::abs(ahead);
            most = std::min(most, ahead > 0 ? std::max(2 * feature.scale, distance / 2)
                                            : std::max(2 * feature.scale, distance));
        }
        return most;
    };
    for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
        double from = edges[i];
        double to = edges[i + 1];
        if (!(to > from)) continue;
        while (to > from) {
            const double up = length(from, 1);
            const double down = length(to, -1);
            if (!(up > 0) || !(down > 0) || from + up == from || to - down == to) {
                add(from, to);
                break;
            }
            if (up + down >= to - from) {
                if (std::min(up, down) >= to - from) {
                    add(from, to);
                } else {
                    const double middle = from + (to - from) * up / (up + down);
                    add(from, middle);
                    add(middle, to);
                }
                break;
            }
            add(from, from + up);
            add(to - down, to);
            from += up;
            to -= down;
        }
    }
    return rule;
}

Rule normal_panels(double variance, std::span<const Feature> features, Fineness fineness, bool even) {
    const double deviation = std::sqrt(variance);
    Rule rule = panels(even ? 0 : -reach * deviation, reach * deviation, 2 * deviation, features, fineness);
    const double density = (even ? 2 : 1) * inverse_root_two_pi / deviation;
    for (std::size_t i = 0; i < rule.size(); ++i) {
        const double x = rule.nodes[i] / deviation;
        rule.weights[i] *= density * decay(x * x / 2);
    }
    return rule;
}

const Rule& hermite(int order) {
    static std::mutex mutex;
    static std::map<int, Rule> known;
    const std::lock_guard lock(mutex);
    auto& rule = known[order];
    if (rule.size() == 0) {
        const Eigen::VectorXd diagonal = Eigen::VectorXd::Zero(order);
        Eigen::VectorXd next(order - 1);
        for (int i = 1; i < order; ++i) next[i - 1] = std::sqrt(static_cast<double>(i));
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
        solver.computeFromTridiagonal(diagonal, next);
        for (int i = 0; i < order; ++i)
            rule.add(solver.eigenvalues()[i], solver.eigenvectors()(0, i) * solver.eigenvectors()(0, i));
    }
    return rule;
}

} // namespace etastar::theory

#pragma once

#include <span>
#include <vector>

namespace etastar::theory {

// Functions whose bits do not depend on the processor, as those of a mathematical library may: + - * / sqrt in fixed order.

// e^-t for t >= 0, 0 from t = 708 on; relative error below 1e-14.
double decay(double t);

// arctan t for t >= 0; relative error below 1e-15.
double arctangent(double t);

// (t - arctan t) / t^2 for t >= 0, 0 at 0.
double kink(double t, double arctan);

// sum_i weight_i f(node_i) = integral of f.
struct Rule {
    std::vector<double> nodes;
    std::vector<double> weights;

    std::size_t size() const { return nodes.size(); }
    void add(double node, double weight) {
        nodes.push_back(node);
        weights.push_back(weight);
    }
};

// A point about which an integrand changes over lengths of `scale`, and over lengths in proportion to the distance further
// away. The integrand may have a kink in the point itself.
struct Feature {
    double at = 0;
    double scale = 1;
};

enum class Fineness {
    coarse,
    fine
}; // of 10 or 20 nodes a panel: relative errors of 1e-10 and 1e-14 for what they are used for

// Gauss-Legendre panels on [low, high], none longer than `longest`, nor than twice the scale of a feature near it.
Rule panels(double low, double high, double longest, std::span<const Feature> features, Fineness fineness);

// E f(z) for z ~ N(0, variance), f with these features; z > 0 alone, twice, if `even`.
Rule normal_panels(double variance, std::span<const Feature> features, Fineness fineness, bool even = false);

// E f(x) for x ~ N(0, 1) and a smooth f: Gauss-Hermite of so many nodes. Not of the same bits everywhere.
const Rule& hermite(int order);

} // namespace etastar::theory

#pragma once

#include <cmath>

namespace etastar::test {

// First two moments of independent samples, and how far their mean is from where it should be.
struct Score {
    double sum = 0;
    double squares = 0;
    double count = 0;

    void add(double x) {
        sum += x;
        squares += x * x;
        ++count;
    }

    double mean() const { return sum / count; }
    double standard_error() const { return std::sqrt((squares / count - mean() * mean()) / (count - 1)); }
    double root_mean_square() const { return std::sqrt(squares / count); }

    // z-score of `factor` times the samples' mean.
    double z(double expected, double factor = 1) const {
        return (factor * mean() - expected) / (factor * standard_error());
    }
};

} // namespace etastar::test

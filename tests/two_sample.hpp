#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace etastar::test {

// Kolmogorov-Smirnov: sqrt(n m / (n + m)) times the distance; above 2.9 with probability 1e-7.
inline double two_sample(std::vector<double> a, std::vector<double> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    double distance = 0;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        const double x = std::min(a[i], b[j]);
        while (i < a.size() && a[i] <= x) ++i;
        while (j < b.size() && b[j] <= x) ++j;
        distance = std::max(distance, std::abs(static_cast<double>(i) / static_cast<double>(a.size())
                                               - static_cast<double>(j) / static_cast<double>(b.size())));
    }
    return distance
           * std::sqrt(static_cast<double>(a.size() * b.size()) / static_cast<double>(a.size() + b.size()));
}

} // namespace etastar::test

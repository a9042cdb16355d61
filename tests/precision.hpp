#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/model/random_network.hpp"
#include "etastar/theory/moments.hpp"

#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace etastar::test {

// How two engines differ on the same networks.
struct Difference {
    double response = 0; // relative, of G_L: the median over networks
    double step = 0;     // of ||dz^L||^2 after a step: the largest over rates of the median
    double typical = 0;  // ||dz^L||^2 itself at the critical rate, the second engine's median
};

inline double median(std::vector<double> values) {
    // What is no number is infinitely far.
    for (double& value : values)
        if (std::isnan(value)) value = HUGE_VAL;
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
}

inline double relative(double a, double b) { return a == b ? 0 : std::abs(a / b - 1); }

// Over 20 networks from id.seed on and steps from a tenth of the critical rate to ten times that.
template <class A, class B>
Difference median_difference(model::NetworkId id, A run_a, B run_b) {
    const double star =
        theory::critical_rate(theory::exact_responses(settings().model, id.width, id.depth).hidden.back());
    const std::vector<double> rates{0.1 * star, star, 10 * star};
    std::vector<double> responses;
    std::vector<std::vector<double>> steps(rates.size());
    std::vector<double> typical;
    for (int i = 0; i < 20; ++i, ++id.seed) {
        const auto a = run_a(id, rates);
        const auto b = run_b(id, rates);
        responses.push_back(relative(a.response.back(), b.response.back()));
        for (std::size_t k = 0; k < rates.size(); ++k)
            steps[k].push_back(relative(a.steps[k].dz2_last, b.steps[k].dz2_last));
        typical.push_back(b.steps[1].dz2_last);
    }
    Difference result;
    result.response = median(responses);
    result.typical = median(typical);
    for (const auto& step : steps) result.step = std::max(result.step, median(step));
    return result;
}

} // namespace etastar::test

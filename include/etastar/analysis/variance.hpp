#pragma once

#include "etastar/theory/theory.hpp"

#include <cstdint>

namespace etastar::analysis {

// Variance of the log of a network's response, as far as it is known without a sample: of a network with all layers
// trained under mup rates, to 4 % up to L/n = 1/4 (docs/science.md, section 5).
double log_variance(theory::Layer layer, std::uint32_t width, std::uint32_t depth);

// Of a cell in regressions, up to a factor: 1/(e^V - 1), V = log_variance, the inverse of the squared relative error of a
// log-normal mean.
double theory_weight(theory::Layer layer, std::uint32_t width, std::uint32_t depth);

// Standard error of log eta*_lin = log (c / E G)^(1/2) from `networks` networks, as log_mean gives it.
double predicted_error(theory::Layer layer, std::uint32_t width, std::uint32_t depth, double networks);

} // namespace etastar::analysis

#pragma once

#include "etastar/model/model.hpp"
#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <string>

namespace etastar::analysis {

// What follows is of bias-free ReLU networks at their critical weight variance, and of gradient descent: only of these are
// the constants of fluctuations known (docs/science.md, section 5).
bool fluctuations_are_known(const model::Model& model);

// Layers multiply their fluctuations: the response of a deep, narrow network is heavy-tailed. Of networks that scale with
// their input and have no stream beside it.
bool fluctuations_multiply(const model::Model& model);

// Variance of the log of a network's response, as far as it is known without a sample: of a network with all layers
// trained under mup rates, to 4 % up to L/n = 1/4 (docs/science.md, section 5).
double log_variance(theory::Layer layer, std::uint32_t width, std::uint32_t depth);

// Of a cell in regressions, up to a factor: 1/(e^V - 1), V = log_variance, the inverse of the squared relative error of a
// log-normal mean.
double theory_weight(theory::Layer layer, std::uint32_t width, std::uint32_t depth);

// The same of any model: of those whose V is not known 1/V with V up to a factor, the number of layers whose fluctuations
// add up over n. It depends on no sample.
double cell_weight(const model::Model& model, theory::Layer layer, std::uint32_t width, std::uint32_t depth);
std::string weights_text(const model::Model& model, theory::Layer layer);

// Standard error of log eta*_lin = log (c / E G)^(1/2) from `networks` networks, as log_mean gives it.
double predicted_error(theory::Layer layer, std::uint32_t width, std::uint32_t depth, double networks);

} // namespace etastar::analysis

#pragma once

#include "etastar/analysis/estimator.hpp"

#include <cstdint>
#include <optional>

namespace etastar::analysis {

// All that the analysis asks of theory.

// E of the response that the linear criterion looks at; NaN where it has no closed form.
double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth, theory::Layer layer);

// Of the linear criterion's eta*.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold);

} // namespace etastar::analysis

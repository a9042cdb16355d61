#pragma once

#include "etastar/analysis/estimator.hpp"

#include <cstdint>
#include <optional>

namespace etastar::analysis {

// All that the analysis asks of theory.

// E of the response that the linear criterion looks at; NaN where it has no closed form.
double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth, theory::Layer layer);

// eta* at infinite width, to first order or of the whole step; nothing where there is none.
std::optional<double> infinite_rate(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                    theory::Layer layer, double threshold, theory::Criterion criterion);

// The mean squared change by a whole step of this rate at infinite width; nothing where it does not close.
std::optional<double> infinite_change2(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                       theory::Layer layer, double eta);

// Under mup rates infinite width is one limit; under a global rate it depends on the width at which it is taken.
bool infinite_width_is_one(const TrialTable& table);

// Of the linear criterion's eta*.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold);

} // namespace etastar::analysis

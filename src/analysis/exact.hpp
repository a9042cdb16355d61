#pragma once

#include "etastar/analysis/estimator.hpp"

#include <cstdint>
#include <optional>

namespace etastar::analysis {

// All that the analysis asks of theory.

// E of the response that the linear criterion looks at; NaN where it has no closed form.
double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth, theory::Layer layer);

// The bound on E dz^2 itself: the threshold or, where it is relative, so many times E z^2 by the theory of this regime. Nothing
// where that theory does not know E z^2.
std::optional<double> bound(const TrialTable& table, theory::Regime regime, std::uint32_t width,
                            std::uint32_t depth, theory::Layer layer, double threshold, bool relative);

// eta* at infinite width, to first order or of the whole step; nothing where there is none.
std::optional<double> infinite_rate(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                    theory::Layer layer, double threshold, theory::Criterion criterion);

// Its relative standard error, where theory is integrated over samples; else 0.
double infinite_rate_error(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                           theory::Layer layer, double rate, theory::Criterion criterion);

// The mean squared change by a whole step of this rate at infinite width; nothing where it does not close.
std::optional<double> infinite_change2(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                       theory::Layer layer, double eta);

// Under mup rates infinite width is one limit; under a global rate it depends on the width at which it is taken.
bool infinite_width_is_one(const TrialTable& table);

// A rate of the whole step at infinite width takes seconds: its law is integrated over paths, or over two signs a layer.
bool infinite_step_is_costly(const TrialTable& table);

// Of the linear criterion's eta*; nothing for models of which it is not known.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold);

} // namespace etastar::analysis

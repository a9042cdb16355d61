#pragma once

#include "etastar/analysis/estimator.hpp"
#include "etastar/plan/plan.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace etastar::analysis {

// Half of the 95 % intervals that `fit` will report of a sweep, to first order in eta and for layer last, before it has
// run.
struct PredictedSlope {
    std::uint32_t depth = 0;
    std::uint32_t next_depth = 0;
    double half_width = 0;
};

struct PredictedWidth {
    std::uint32_t width = 0;
    std::vector<PredictedSlope> slopes;
};

struct Prediction {
    std::optional<double> depth_exponent; // of all widths together
    std::optional<double> width_exponent;
    std::vector<PredictedWidth> widths;
};

// The cells that `fit` will report, each exact and with the error that it will have from so many networks, in the order of
// the plan's. Nothing where `predict` has nothing to say but for the number of networks.
std::optional<std::vector<CellFit>> predicted_cells(const plan::Plan& plan,
                                                    std::span<const std::uint64_t> networks);

// Nothing where the variance of the response is not known: other models than fluctuations_are_known, other than all layers
// trained under mup rates, a model without exact moments, or fewer than two networks.
std::optional<Prediction> predict(const plan::Plan& plan);

} // namespace etastar::analysis

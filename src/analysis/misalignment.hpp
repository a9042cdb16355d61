#pragma once

#include "etastar/analysis/fit.hpp"

#include <span>
#include <vector>

namespace etastar::analysis {

// Of the cells that have an estimate with resamples: over widths at each depth and in all; over depths, after division by
// L^(-3/2) and by the fitted power, at each width and in all.
std::vector<Spread> misalignment(std::span<const CellFit> cells, const PowerLaw& law);

} // namespace etastar::analysis

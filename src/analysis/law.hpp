#pragma once

#include "etastar/analysis/fit.hpp"

#include <span>

namespace etastar::analysis {

// What a regression explains: log of the measured eta*, of the exact one, or of their ratio.
enum class Quantity { measured, exact, ratio };

// Over the cells that have the quantity and an error of it; a weight for each cell.
PowerLaw fit_law(std::span<const CellFit> cells, Quantity quantity, std::span<const double> cell_weights);

// Between neighbours among the cells of one width that have a value with an error. The cells are in order.
std::vector<LocalSlope> local_slopes(std::span<const CellFit> cells);

} // namespace etastar::analysis

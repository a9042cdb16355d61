#pragma once

#include "etastar/analysis/fit.hpp"

#include <optional>
#include <span>
#include <vector>

namespace etastar::analysis {

// What a regression explains: log of the measured eta*, of the exact one, or of their ratio.
enum class Quantity { measured, exact, ratio };

// Over the cells that have the quantity and an error of it; a weight for each cell.
PowerLaw fit_law(std::span<const CellFit> cells, Quantity quantity, std::span<const double> cell_weights);

// Of a cell in the regression of a criterion's rates, up to a factor and whatever the sample.
double regression_weight(const Estimator& criterion, const model::Model& model, theory::Layer layer,
                         std::uint32_t width, std::uint32_t depth);

// How the depth exponent that fit_law gives of measured rates depends on the log rate of each cell: 0 of those that have no
// part in it; nothing where there is no such exponent.
std::optional<std::vector<double>> depth_dependence(std::span<const CellFit> cells,
                                                    std::span<const double> cell_weights);

// Between neighbours among the cells of one width that have a value with an error. The cells are in order.
std::vector<LocalSlope> local_slopes(std::span<const CellFit> cells);

} // namespace etastar::analysis

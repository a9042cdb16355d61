#include "law.hpp"

#include <cmath>
#include <set>

namespace etastar::analysis {
namespace {

// A cell's contribution to a regression; absent where it has no value with an error bar.
std::optional<Measurement> measurement_of(const CellFit& cell, Quantity quantity) {
    if (quantity == Quantity::ratio) return cell.log_ratio;
    if (!cell.eta_star || !std::isfinite(cell.relative_error)) return std::nullopt;
    if (quantity == Quantity::exact && !cell.exact) return std::nullopt;
    Measurement measured{std::log(*cell.eta_star), cell.relative_error,
                         static_cast<double>(cell.networks - 1)};
    if (cell.log_rate) measured = *cell.log_rate;
    if (quantity == Quantity::exact) measured.value = std::log(*cell.exact);
    return measured;
}

} // namespace

PowerLaw fit_law(std::span<const CellFit> cells, Quantity quantity, std::span<const double> cell_weights) {
    PowerLaw law;
    std::vector<Measurement> measurements;
    std::vector<double> weights;
    std::vector<double> ones;
    std::vector<double> log_width;
    std::vector<double> log_depth;
    std::set<std::uint32_t> widths;
    std::set<std::uint32_t> depths;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto& cell = cells[i];
        const auto measurement = measurement_of(cell, quantity);
        if (!measurement) continue;
        measurements.push_back(*measurement);
        weights.push_back(cell_weights[i]);
        ones.push_back(1);
        log_width.push_back(std::log(cell.width));
        log_depth.push_back(std::log(cell.depth));
        widths.insert(cell.width);
        depths.insert(cell.depth);
    }
    std::vector<std::vector<double>> predictors{ones};
    if (widths.size() > 1) predictors.push_back(log_width);
    if (depths.size() > 1) predictors.push_back(log_depth);
    law.cells = measurements.size();
    law.terms = predictors.size();
    const auto regression = weighted_regression(measurements, predictors, weights);
    if (!regression.determined) return law;

    std::size_t next = 0;
    auto constant = regression.coefficients[next++];
    constant.value = std::exp(constant.value);
    constant.ci95 = {std::exp(constant.ci95.low), std::exp(constant.ci95.high)};
    law.constant = constant;
    if (widths.size() > 1) law.width = regression.coefficients[next++];
    if (depths.size() > 1) law.depth = regression.coefficients[next++];
    law.chi_squared = regression.chi_squared;
    law.degrees = regression.degrees;
    law.p_value = regression.p_value;
    return law;
}

std::vector<LocalSlope> local_slopes(std::span<const CellFit> cells) {
    std::vector<LocalSlope> slopes;
    const CellFit* previous = nullptr;
    for (const auto& cell : cells) {
        const auto here = measurement_of(cell, Quantity::measured);
        if (!here) continue;
        if (previous != nullptr && previous->width == cell.width) {
            const double step = std::log(static_cast<double>(cell.depth) / previous->depth);
            const Measurement ends[] = {*measurement_of(*previous, Quantity::measured), *here};
            const double weights[] = {-1 / step, 1 / step};
            LocalSlope slope{cell.width, previous->depth, cell.depth, linear_combination(weights, ends), {}};
            if (previous->exact && cell.exact) slope.exact = std::log(*cell.exact / *previous->exact) / step;
            slopes.push_back(slope);
        }
        previous = &cell;
    }
    return slopes;
}

} // namespace etastar::analysis

#include "law.hpp"

#include "etastar/analysis/variance.hpp"

#include "training.hpp"

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

// The regression over the cells that have the quantity.
struct LawRegression {
    std::vector<std::size_t> cells; // of those given
    bool has_width = false;         // an exponent of it
    bool has_depth = false;
    Regression regression;
};

LawRegression regress(std::span<const CellFit> cells, Quantity quantity,
                      std::span<const double> cell_weights) {
    LawRegression result;
    std::vector<Measurement> measurements;
    std::vector<double> weights;
    std::vector<double> log_width;
    std::vector<double> log_depth;
    std::set<std::uint32_t> widths;
    std::set<std::uint32_t> depths;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto& cell = cells[i];
        const auto measurement = measurement_of(cell, quantity);
        if (!measurement) continue;
        result.cells.push_back(i);
        measurements.push_back(*measurement);
        weights.push_back(cell_weights[i]);
        log_width.push_back(std::log(cell.width));
        log_depth.push_back(std::log(cell.depth));
        widths.insert(cell.width);
        depths.insert(cell.depth);
    }
    result.has_width = widths.size() > 1;
    result.has_depth = depths.size() > 1;
    std::vector<std::vector<double>> predictors{std::vector<double>(measurements.size(), 1)};
    if (result.has_width) predictors.push_back(log_width);
    if (result.has_depth) predictors.push_back(log_depth);
    result.regression = weighted_regression(measurements, predictors, weights);
    return result;
}

} // namespace

PowerLaw fit_law(std::span<const CellFit> cells, Quantity quantity, std::span<const double> cell_weights) {
    const auto [of, has_width, has_depth, regression] = regress(cells, quantity, cell_weights);
    PowerLaw law;
    law.cells = of.size();
    law.terms = 1 + std::size_t{has_width} + std::size_t{has_depth};
    if (!regression.determined) return law;

    std::size_t next = 0;
    auto constant = regression.coefficients[next++];
    constant.value = std::exp(constant.value);
    constant.ci95 = {std::exp(constant.ci95.low), std::exp(constant.ci95.high)};
    law.constant = constant;
    if (has_width) law.width = regression.coefficients[next++];
    if (has_depth) law.depth = regression.coefficients[next++];
    law.chi_squared = regression.chi_squared;
    law.degrees = regression.degrees;
    law.p_value = regression.p_value;
    return law;
}

std::optional<std::vector<double>> depth_dependence(std::span<const CellFit> cells,
                                                    std::span<const double> cell_weights) {
    const auto law = regress(cells, Quantity::measured, cell_weights);
    if (!law.regression.determined || !law.has_depth) return std::nullopt;
    std::vector<double> dependence(cells.size());
    for (std::size_t i = 0; i < law.cells.size(); ++i)
        dependence[law.cells[i]] = law.regression.dependence.back()[i];
    return dependence;
}

double regression_weight(const Estimator& criterion, const model::Model& model, theory::Layer layer,
                         std::uint32_t width, std::uint32_t depth) {
    return criterion.of_training() ? training_weight(width, depth) : cell_weight(model, layer, width, depth);
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

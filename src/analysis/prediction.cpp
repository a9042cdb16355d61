#include "etastar/analysis/prediction.hpp"

#include "etastar/analysis/variance.hpp"

#include "law.hpp"

#include <cmath>

namespace etastar::analysis {
namespace {

double half(const Interval& interval) { return (interval.high - interval.low) / 2; }

std::optional<double> half(const std::optional<LinearEstimate>& estimate) {
    return estimate ? std::optional(half(estimate->ci95)) : std::nullopt;
}

} // namespace

std::optional<std::vector<CellFit>> predicted_cells(const plan::Plan& plan,
                                                    std::span<const std::uint64_t> networks) {
    const auto& model = plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::finite_width);
    if (theory == nullptr || !fluctuations_are_known(model) || model.train != model::Train::all
        || model.parametrization != model::Parametrization::mup)
        return std::nullopt;
    constexpr auto layer = theory::Layer::last;
    std::vector<CellFit> cells;
    for (const auto& entry : plan.cells()) {
        const auto of = networks[cells.size()];
        CellFit cell;
        cell.width = entry.width;
        cell.depth = entry.depth;
        cell.networks = of;
        cell.eta_star = theory::linear_rate(
            theory->response(model, entry.width, entry.depth, layer).value_or(std::nan("")));
        if (of > 1)
            cell.relative_error = predicted_error(layer, entry.width, entry.depth, static_cast<double>(of));
        cells.push_back(cell);
    }
    return cells;
}

std::optional<Prediction> predict(const plan::Plan& plan) {
    const auto& spec = plan.spec();
    if (spec.seeds < 2) return std::nullopt;
    // The fit of a sweep whose every cell is exact, with the errors that it will have.
    const auto cells = predicted_cells(plan, std::vector<std::uint64_t>(spec.cells(), spec.seeds));
    if (!cells) return std::nullopt;
    std::vector<double> weights;
    for (const auto& cell : *cells)
        weights.push_back(cell_weight(spec.model, theory::Layer::last, cell.width, cell.depth));
    const auto law = fit_law(*cells, Quantity::measured, weights);
    Prediction prediction{half(law.depth), half(law.width), {}};
    for (const auto& slope : local_slopes(*cells)) {
        if (prediction.widths.empty() || prediction.widths.back().width != slope.width)
            prediction.widths.push_back({slope.width, {}});
        prediction.widths.back().slopes.push_back({slope.depth, slope.next_depth, half(slope.slope.ci95)});
    }
    return prediction;
}

} // namespace etastar::analysis

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

std::optional<Prediction> predict(const plan::Plan& plan) {
    const auto& spec = plan.spec();
    const auto& model = spec.model;
    const auto* theory = theory::find(model, theory::Regime::finite_width);
    if (theory == nullptr || !fluctuations_are_known(model) || model.train != model::Train::all
        || model.parametrization != model::Parametrization::mup || spec.seeds < 2)
        return std::nullopt;

    // The fit of a sweep whose every cell is exact, with the errors that it will have.
    constexpr auto layer = theory::Layer::last;
    std::vector<CellFit> cells;
    std::vector<double> weights;
    for (const auto& entry : plan.cells()) {
        const auto response = theory->response(model, entry.width, entry.depth, layer);
        CellFit cell;
        cell.eta_star = theory::linear_rate(response.value_or(std::nan("")));
        if (!cell.eta_star) continue;
        cell.width = entry.width;
        cell.depth = entry.depth;
        cell.networks = spec.seeds;
        cell.relative_error =
            predicted_error(layer, entry.width, entry.depth, static_cast<double>(spec.seeds));
        cells.push_back(cell);
        weights.push_back(cell_weight(model, layer, entry.width, entry.depth));
    }
    const auto law = fit_law(cells, Quantity::measured, weights);
    Prediction prediction{half(law.depth), half(law.width), {}};
    for (const auto& slope : local_slopes(cells)) {
        if (prediction.widths.empty() || prediction.widths.back().width != slope.width)
            prediction.widths.push_back({slope.width, {}});
        prediction.widths.back().slopes.push_back({slope.depth, slope.next_depth, half(slope.slope.ci95)});
    }
    return prediction;
}

} // namespace etastar::analysis

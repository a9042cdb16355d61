#include "etastar/plan/plan.hpp"

#include "etastar/error.hpp"
#include "etastar/theory/theory.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

namespace etastar::plan {
namespace {

std::vector<Cell> cells_of(const sweep::Spec& spec) {
    std::vector<Cell> cells;
    cells.reserve(spec.cells());
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) cells.push_back({width, depth, spec.eta, {}});
    return cells;
}

// The theory that sets the unit of rates: exact where there is one, else of infinite width.
const theory::Theory& unit_theory_of(const model::Model& model) {
    for (const auto regime : {theory::Regime::finite_width, theory::Regime::infinite_width})
        if (const auto* theory = theory::find(model, regime)) return *theory;
    throw UsageError(fmt::format("eta-unit: 'linear' has no unit: no theory covers activation {}; use "
                                 "--eta-unit absolute, with --eta in its units",
                                 name_of(model.activation)));
}

// eta*_lin(n, L) at threshold 1.
double linear_unit(const theory::Theory& theory, const sweep::Spec& spec, const Cell& cell) {
    const auto response = theory.response(spec.model, cell.width, cell.depth, theory::Layer::last);
    if (!response)
        throw UsageError(fmt::format("eta-unit: 'linear' has no unit at depth {}: theory ({}) of activation "
                                     "{}, architecture {} does not reach "
                                     "it; use --eta-unit absolute, with --eta in its units",
                                     cell.depth, theory.name(), name_of(spec.model.activation),
                                     name_of(spec.model.architecture)));
    const auto laws = model::layer_laws(spec.model, cell.width, cell.depth);
    if (!laws.first.moves() && !(cell.depth > 1 && laws.hidden.moves()))
        throw UsageError(fmt::format(
            "eta-unit: 'linear' has no unit at width {}, depth {}: with train {} the pre-activations do "
            "not move; use --eta-unit absolute, with --eta in its units",
            cell.width, cell.depth, name_of(spec.model.train)));
    const double unit = theory::critical_rate(*response);
    if (!(unit > 0) || std::isinf(unit))
        throw UsageError(
            fmt::format("depth: at width {}, depth {} the response is beyond the range of floating point",
                        cell.width, cell.depth));
    return unit;
}

void scale_rates(Cell& cell, double unit) {
    for (double& eta : cell.etas) {
        const double multiple = eta;
        eta *= unit;
        if (!std::isfinite(eta) || eta <= 0)
            throw UsageError(fmt::format(
                "eta: {} times eta*_lin = {:.4g} at width {}, depth {} is beyond the range of floating "
                "point",
                multiple, unit, cell.width, cell.depth));
    }
}

// Absolute rates are the axis; others are the axis times one unit in each cell, but for rounding, which is coarse where
// a rate is subnormal.
bool belong(std::span<const double> etas, const sweep::Spec& spec) {
    constexpr double rounding = 1e-9;
    constexpr double smallest = std::numeric_limits<double>::denorm_min();
    const double unit = etas.back() / spec.eta.back();
    for (std::size_t k = 0; k < etas.size(); ++k) {
        if (!(etas[k] > 0) || !std::isfinite(etas[k])) return false;
        const bool same = spec.eta_unit == sweep::EtaUnit::absolute
                              ? etas[k] == spec.eta[k]
                              : std::abs(etas[k] - spec.eta[k] * unit) <= rounding * etas[k] + 2 * smallest;
        if (!same) return false;
    }
    return true;
}

} // namespace

Plan::Plan(sweep::Spec spec) : spec_(std::move(spec)), cells_(cells_of(spec_)) {
    if (spec_.eta_unit == sweep::EtaUnit::absolute) return;
    const auto& theory = unit_theory_of(spec_.model);
    unit_theory_ = theory.name();
    for (auto& cell : cells_) scale_rates(cell, linear_unit(theory, spec_, cell));
}

Plan::Plan(sweep::Spec spec, std::span<const double> etas, std::string unit_theory)
    : spec_(std::move(spec)), cells_(cells_of(spec_)), unit_theory_(std::move(unit_theory)) {
    if (etas.size() != cells_.size() * rates())
        throw UsageError(fmt::format("eta: {} absolute rates where the grid has {}", etas.size(),
                                     cells_.size() * rates()));
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        const auto here = etas.subspan(i * rates(), rates());
        if (!belong(here, spec_))
            throw UsageError(
                fmt::format("eta: the absolute rates at width {}, depth {} are not those of the axis",
                            cells_[i].width, cells_[i].depth));
        cells_[i].etas.assign(here.begin(), here.end());
    }
}

model::NetworkId Plan::id(std::uint64_t network) const {
    const auto& cell = cell_of(network);
    return {cell.width, cell.depth, spec_.first_seed + network % spec_.seeds};
}

std::vector<double> Plan::etas() const {
    std::vector<double> all;
    all.reserve(cells_.size() * rates());
    for (const auto& cell : cells_) all.insert(all.end(), cell.etas.begin(), cell.etas.end());
    return all;
}

void Plan::price(const std::function<Cost(const Cell&)>& cost_of) {
    for (auto& cell : cells_) cell.cost = cost_of(cell);
}

} // namespace etastar::plan

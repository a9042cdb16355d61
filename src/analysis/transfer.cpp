#include "etastar/analysis/transfer.hpp"

#include "etastar/analysis/fit.hpp"
#include "etastar/error.hpp"
#include "etastar/model/description.hpp"
#include "etastar/names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

constexpr auto layer = theory::Layer::last;

std::string shown(Place place) { return fmt::format("width {}, depth {}", place.width, place.depth); }

} // namespace

Transfer transfer_by_theory(const model::Model& model, theory::Criterion criterion, double threshold,
                            Place from, Place to) {
    std::string reason;
    for (const auto regime : {theory::Regime::finite_width, theory::Regime::infinite_width}) {
        const auto* theory = theory::find(model, regime);
        if (theory == nullptr) continue;
        const auto rate = [&](Place place) {
            return theory::rate(*theory, criterion, model, place.width, place.depth, layer, threshold);
        };
        const auto before = rate(from);
        const auto after = rate(to);
        if (before && after) return {*after / *before, {}, std::string(theory->name())};
        const Place without = before ? to : from;
        reason = theory->reaches(model, without.depth)
                     ? fmt::format("by {} no rate reaches threshold {:g} at {}", theory->name(), threshold,
                                   shown(without))
                     : fmt::format("{} does not reach depth {}", theory->name(), without.depth);
    }
    if (reason.empty()) reason = "no theory covers it";
    throw UsageError(
        fmt::format("transfer: {}, {} criterion: {}; measure it: sweep both networks, and give --file",
                    model::describe(model), name_of(criterion), reason));
}

Transfer transfer_by_measurement(const TrialTable& table, const model::Model& model,
                                 theory::Criterion criterion, double threshold, Place from, Place to) {
    const auto& spec = table.plan.spec();
    if (spec.trains())
        throw UsageError("file: is of training, whose rates `etastar fit` and `etastar report` tell; a first "
                         "step is asked for");
    if (!(spec.model == model))
        throw UsageError(fmt::format(
            "file: is of another model: {}, input-dim {}; asked for is {}, input-dim {}",
            model::describe(spec.model), spec.model.input_dim, model::describe(model), model.input_dim));
    for (const auto place : {from, to}) {
        const auto lists = [&](const std::vector<std::uint32_t>& axis, std::uint32_t value) {
            return std::find(axis.begin(), axis.end(), value) != axis.end();
        };
        if (!lists(spec.width, place.width) || !lists(spec.depth, place.depth))
            throw UsageError(fmt::format("file: has no networks of {}; widths {}, depths {}", shown(place),
                                         fmt::join(spec.width, ", "), fmt::join(spec.depth, ", ")));
    }
    FitOptions options;
    options.criteria = {&estimator(name_of(criterion))};
    options.thresholds = {threshold};
    options.layer = layer;
    for (const auto place : {from, to}) {
        options.widths.push_back({place.width, place.width});
        options.depths.push_back({place.depth, place.depth});
    }
    const auto report = fit(table, options);
    const auto& cells = report.fits.front().cells;
    const auto cell_at = [&](Place place) -> const CellFit& {
        const auto found = std::find_if(cells.begin(), cells.end(), [&](const CellFit& cell) {
            return Place{cell.width, cell.depth} == place;
        });
        if (!found->eta_star)
            throw UsageError(fmt::format("file: has no eta* at {}: {}", shown(place), found->note));
        return *found;
    };
    const auto& before = cell_at(from);
    const auto& after = cell_at(to);
    Transfer result{*after.eta_star / *before.eta_star, {}, "measured"};
    if (from == to) {
        result.ci95 = {1, 1};
    } else if (before.log_rate && after.log_rate) {
        const double weights[] = {1, -1};
        const Measurement ends[] = {*after.log_rate, *before.log_rate};
        const auto logs = linear_combination(weights, ends).ci95;
        result.ci95 = {std::min(std::exp(logs.low), result.factor),
                       std::max(std::exp(logs.high), result.factor)};
    }
    return result;
}

} // namespace etastar::analysis

#include "etastar/report/json.hpp"

#include "etastar/names.hpp"

#include "../json.hpp"
#include "regression_target.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::report {
namespace {

using namespace analysis;

Json numbers(const std::vector<double>& values) {
    auto array = Json::array();
    for (const double value : values) array.push_back(number(value));
    return array;
}

Json interval(const Interval& i) {
    if (!std::isfinite(i.low) && !std::isfinite(i.high)) return nullptr;
    return Json::array({number(i.low), number(i.high)});
}

Json estimate(const std::optional<LinearEstimate>& e) {
    if (!e) return nullptr;
    return {{"value", number(e->value)}, {"ci95", interval(e->ci95)}};
}

// An estimate, with the value that the same regression on exact values has where that makes sense.
Json estimate(const std::optional<LinearEstimate>& e, const PowerLaw* exact,
              std::optional<LinearEstimate> PowerLaw::*which) {
    Json tree = estimate(e);
    if (e && exact != nullptr) tree["exact"] = exact->*which ? number((exact->*which)->value) : Json(nullptr);
    return tree;
}

Json law(const PowerLaw& measured, const PowerLaw* exact) {
    return {{"constant", estimate(measured.constant, exact, &PowerLaw::constant)},
            {"exponents",
             {{"width", estimate(measured.width, exact, &PowerLaw::width)},
              {"depth", estimate(measured.depth, exact, &PowerLaw::depth)}}},
            {"chi_squared", number(measured.chi_squared)},
            {"degrees_of_freedom", measured.degrees},
            {"p_value", number(measured.p_value)}};
}

// eta* over that of theory.
Json ratio(const CellFit& cell, const std::optional<double>& theory) {
    if (!cell.eta_star || !theory) return nullptr;
    return {{"value", number(*cell.eta_star / *theory)},
            {"ci95", interval({cell.ci95.low / *theory, cell.ci95.high / *theory})}};
}

Json curves_along(const char* axis, const char* other, const std::vector<ExactCurve>& curves) {
    auto array = Json::array();
    for (const auto& curve : curves)
        array.push_back({{other, curve.at}, {axis, curve.x}, {"eta_star", numbers(curve.eta_star)}});
    return array;
}

Json asymptote(const CriterionFit& fit) {
    if (!fit.asymptote) return nullptr;
    return {{"law", fit.asymptote->law},
            {"constant", number(fit.asymptote->constant)},
            {"exponents", {{"width", 0}, {"depth", fit.asymptote->depth_exponent}}},
            {"depth", fit.asymptote_depth},
            {"eta_star", numbers(fit.asymptote_rate)}};
}

Json tree_of(const CriterionCurves& curves) {
    Json tree = {{"criterion", curves.criterion->name()},
                 {"layer", name_of(curves.layer)},
                 {"relative", curves.relative},
                 {"cells", Json::array()}};
    for (const auto& curve : curves.cells) {
        auto intervals = Json::array();
        for (const auto& ci95 : curve.ci95) intervals.push_back(interval(ci95));
        tree["cells"].push_back({{"width", curve.width},
                                 {"depth", curve.depth},
                                 {"networks", curve.networks},
                                 {"eta", numbers(curve.eta)},
                                 {"mean", numbers(curve.mean)},
                                 {"ci95", intervals},
                                 {"linear", numbers(curve.linear)},
                                 {"infinite", numbers(curve.infinite)}});
    }
    return tree;
}

Json tree_of(const Median& median) {
    return {{"value", number(median.value)}, {"ci95", interval(median.ci95)}};
}

Json kernel(const CellFit& cell) {
    if (!cell.kernel) return nullptr;
    const auto& [eta, initial, final] = *cell.kernel;
    return {{"eta", number(eta)},
            {"initial", tree_of(initial)},
            {"final", tree_of(final)},
            {"eta_star_initial", number(*cell.eta_star * initial.value)},
            {"eta_star_final", number(*cell.eta_star * final.value)}};
}

Json misalignment(const CriterionFit& fit) {
    if (!fit.criterion->of_training()) return nullptr;
    auto array = Json::array();
    for (const auto& spread : fit.misalignment)
        array.push_back({{"over", spread.over_widths ? "width" : "depth"},
                         {"at", spread.at ? Json(*spread.at) : Json(nullptr)},
                         {"among", spread.among},
                         {"exponent", number(spread.exponent)},
                         {"of", spread.over_widths ? "none"
                                : spread.fitted    ? "fit"
                                                   : "theory"},
                         {"observed", number(spread.observed)},
                         {"noise", number(spread.noise)},
                         {"value", number(spread.value)},
                         {"ci95", interval(spread.ci95)},
                         {"p_value", number(spread.p_value)}});
    return array;
}

// Of several medians: values, and intervals.
void add_medians(Json& tree, const char* name, const char* intervals, const std::vector<Median>& medians) {
    tree[name] = Json::array();
    tree[intervals] = Json::array();
    for (const auto& median : medians) {
        tree[name].push_back(number(median.value));
        tree[intervals].push_back(interval(median.ci95));
    }
}

Json tree_of(const TrainingCurves& training) {
    Json tree = {{"step", training.step}, {"cells", Json::array()}};
    for (const auto& cell : training.cells) {
        Json entry = {{"width", cell.width},
                      {"depth", cell.depth},
                      {"networks", cell.networks},
                      {"eta", numbers(cell.eta)}};
        add_medians(entry, "loss", "loss_ci95", cell.loss);
        entry["kernel_initial"] = tree_of(cell.kernel_initial);
        add_medians(entry, "kernel_final", "kernel_final_ci95", cell.kernel);
        entry["histories"] = Json::array();
        for (const auto& history : cell.histories) {
            Json line = {{"eta", number(history.eta)}, {"step", history.steps}};
            add_medians(line, "loss", "loss_ci95", history.loss);
            entry["histories"].push_back(std::move(line));
        }
        tree["cells"].push_back(std::move(entry));
    }
    return tree;
}

Json tree_of(const CriterionFit& fit) {
    const bool training = fit.criterion->of_training();
    const auto of_step = [&](auto value) { return training ? Json(nullptr) : Json(value); };
    Json tree = {{"criterion", fit.criterion->name()},   {"threshold", of_step(fit.threshold)},
                 {"layer", of_step(name_of(fit.layer))}, {"statistic", of_step(name_of(fit.statistic))},
                 {"relative", of_step(fit.relative)},    {"step", training ? Json(fit.step) : Json(nullptr)},
                 {"fraction", number(fit.fraction)}};
    const auto exact = fit.exact.value_or(PowerLaw{});
    tree.update(law(fit.law, &exact));
    if (fit.ratio) tree["relative_to_exact"] = law(*fit.ratio, nullptr);
    tree["weights"] = fit.weights;
    tree["target"] = regression_target;
    tree["cells"] = Json::array();
    for (const auto& cell : fit.cells) {
        Json entry = {
            {"width", cell.width},
            {"depth", cell.depth},
            {"networks", cell.networks},
            {"eta_star", number(cell.eta_star)},
            {"ci95", cell.eta_star ? interval(cell.ci95) : Json(nullptr)},
            {"interval", cell.eta_star ? Json(name_of(cell.interval)) : Json(nullptr)},
            {"centre", cell.log_rate ? number(std::exp(cell.log_rate->value)) : number(cell.eta_star)},
            {"f2_share", number(cell.f2_share)},
            {"z2", number(cell.z2)},
            {"variance_ratio", number(cell.variance_ratio)},
            {"exact", number(cell.exact)},
            {"infinite", number(cell.infinite)},
            {"infinite_error", cell.infinite ? Json(cell.infinite_error) : Json(nullptr)},
            {"ratio", ratio(cell, cell.exact)},
            {"ratio_infinite", ratio(cell, cell.infinite)},
            {"z", number(cell.z)},
            {"kernel", kernel(cell)}};
        if (!cell.note.empty()) entry["note"] = cell.note;
        tree["cells"].push_back(entry);
    }
    tree["local_slopes"] = Json::array();
    for (const auto& slope : fit.slopes)
        tree["local_slopes"].push_back({{"width", slope.width},
                                        {"depth", {slope.depth, slope.next_depth}},
                                        {"value", number(slope.slope.value)},
                                        {"ci95", interval(slope.slope.ci95)},
                                        {"exact", number(slope.exact)}});
    tree["misalignment"] = misalignment(fit);
    tree["exact_curves"] = {{"depth", curves_along("depth", "width", fit.exact_in_depth)},
                            {"width", curves_along("width", "depth", fit.exact_in_width)}};
    tree["infinite_curves"] = Json::array();
    for (const auto& curve : fit.infinite)
        tree["infinite_curves"].push_back({{"width", curve.width ? Json(*curve.width) : Json(nullptr)},
                                           {"depth", curve.depth},
                                           {"eta_star", numbers(curve.eta_star)}});
    tree["asymptote"] = asymptote(fit);
    return tree;
}

} // namespace

std::string to_json(const FitReport& report, const Source& source) {
    Json tree;
    tree["source"] = {
        {"file", source.file},       {"model", report.model},         {"spec", Json::parse(report.spec)},
        {"version", source.version}, {"resamples", report.resamples}, {"seed", report.seed}};
    tree["rows"] = {{"all", report.rows.all},
                    {"finished", report.rows.finished},
                    {"pending", report.rows.pending},
                    {"failed", report.rows.failed},
                    {"damaged", report.rows.damaged}};
    if (report.rows.skipped > 0) tree["rows"]["skipped"] = report.rows.skipped;
    tree["fits"] = Json::array();
    for (const auto& fit : report.fits) tree["fits"].push_back(tree_of(fit));
    tree["curves"] = Json::array();
    for (const auto& curves : report.curves) tree["curves"].push_back(tree_of(curves));
    tree["training"] = report.training ? tree_of(*report.training) : Json(nullptr);
    tree["warnings"] = report.warnings;
    return dumped(tree, 2) + "\n";
}

} // namespace etastar::report

#include "etastar/analysis/report.hpp"

#include "etastar/names.hpp"

#include "../json.hpp"

#include <fmt/format.h>

#include <cmath>

namespace etastar::analysis {
namespace {

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

Json ratio(const CellFit& cell) {
    if (!cell.eta_star || !cell.exact) return nullptr;
    return {{"value", number(*cell.eta_star / *cell.exact)},
            {"ci95", interval({cell.ci95.low / *cell.exact, cell.ci95.high / *cell.exact})}};
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
    Json tree = {
        {"criterion", curves.criterion->name()}, {"layer", name_of(curves.layer)}, {"cells", Json::array()}};
    for (const auto& curve : curves.cells) {
        auto intervals = Json::array();
        for (const auto& ci95 : curve.ci95) intervals.push_back(interval(ci95));
        tree["cells"].push_back({{"width", curve.width},
                                 {"depth", curve.depth},
                                 {"networks", curve.networks},
                                 {"eta", numbers(curve.eta)},
                                 {"mean", numbers(curve.mean)},
                                 {"ci95", intervals},
                                 {"linear", numbers(curve.linear)}});
    }
    return tree;
}

Json tree_of(const CriterionFit& fit) {
    Json tree = {
        {"criterion", fit.criterion->name()}, {"threshold", fit.threshold}, {"layer", name_of(fit.layer)}};
    const auto exact = fit.exact.value_or(PowerLaw{});
    tree.update(law(fit.law, &exact));
    if (fit.relative) tree["relative_to_exact"] = law(*fit.relative, nullptr);
    tree["cells"] = Json::array();
    for (const auto& cell : fit.cells) {
        Json entry = {{"width", cell.width},
                      {"depth", cell.depth},
                      {"networks", cell.networks},
                      {"eta_star", number(cell.eta_star)},
                      {"ci95", cell.eta_star ? interval(cell.ci95) : Json(nullptr)},
                      {"exact", number(cell.exact)},
                      {"ratio", ratio(cell)},
                      {"z", number(cell.z)}};
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
    tree["exact_curves"] = {{"depth", curves_along("depth", "width", fit.exact_in_depth)},
                            {"width", curves_along("width", "depth", fit.exact_in_width)}};
    tree["asymptote"] = asymptote(fit);
    return tree;
}

std::string shown(const Interval& i, const char* format) {
    const auto bound = [&](double x) {
        return std::isfinite(x) ? fmt::format(fmt::runtime(format), x) : std::string("?");
    };
    return fmt::format("[{}, {}]", bound(i.low), bound(i.high));
}

std::string shown(const std::optional<double>& x, const char* format) {
    return x && std::isfinite(*x) ? fmt::format(fmt::runtime(format), *x) : std::string("-");
}

void print_cells(std::string& out, const CriterionFit& fit) {
    const bool theory = fit.exact.has_value();
    out += fmt::format("  {:>8} {:>6} {:>9} {:>11}  {:<24}", "width", "depth", "networks", "eta*",
                       "95 % interval");
    out += theory ? fmt::format(" {:>11} {:>7}\n", "exact", "z") : "\n";
    for (const auto& cell : fit.cells) {
        out += fmt::format("  {:>8} {:>6} {:>9} {:>11}  {:<24}", cell.width, cell.depth, cell.networks,
                           shown(cell.eta_star, "{:.5g}"), cell.eta_star ? shown(cell.ci95, "{:.5g}") : "-");
        if (theory)
            out += fmt::format(" {:>11} {:>7}", shown(cell.exact, "{:.5g}"), shown(cell.z, "{:+.2f}"));
        if (!cell.note.empty()) out += "  " + cell.note;
        out += "\n";
    }
}

void print_law(std::string& out, const CriterionFit& fit) {
    if (!fit.law.constant) {
        out += "  no cell has an estimate with an error bar: nothing to fit\n";
        return;
    }
    const auto exact = fit.exact.value_or(PowerLaw{});
    const auto relative = fit.relative.value_or(PowerLaw{});
    out += fmt::format("\n  {:<30} {:>9}  {:<24}", "eta* = C n^a L^b", "measured", "95 % interval");
    if (fit.exact) out += fmt::format(" {:>11}   {}", "exact", "measured / exact");
    out += "\n";
    const auto line = [&](const char* what, const std::optional<LinearEstimate>& m,
                          const std::optional<LinearEstimate>& e, const std::optional<LinearEstimate>& r,
                          const char* format) {
        if (!m) return;
        out += fmt::format("  {:<30} {:>9}  {:<24}", what, shown(m->value, format), shown(m->ci95, format));
        if (fit.exact)
            out += fmt::format(" {:>11}   {} {}", e ? shown(e->value, format) : "-",
                               r ? shown(r->value, format) : "-", r ? shown(r->ci95, format) : "");
        out += "\n";
    };
    line("depth exponent b", fit.law.depth, exact.depth, relative.depth, "{:+.4f}");
    line("width exponent a", fit.law.width, exact.width, relative.width, "{:+.4f}");
    line("constant C", fit.law.constant, exact.constant, relative.constant, "{:.4g}");
    if (fit.law.degrees > 0 && fit.law.p_value < 1e-3)
        out += fmt::format(
            "  (not one power law over this range, chi^2 = {:.3g} for {} degrees of freedom: see the local "
            "slopes)\n",
            fit.law.chi_squared, fit.law.degrees);
}

void print_slopes(std::string& out, const CriterionFit& fit) {
    if (fit.slopes.empty()) return;
    out += fmt::format("\n  {:>8}  {:<14} {:>11}  {:<24}", "width", "depths", "local slope", "95 % interval");
    out += fit.exact ? fmt::format(" {:>11}\n", "exact") : "\n";
    for (const auto& slope : fit.slopes) {
        out += fmt::format("  {:>8}  {:<14} {:>11}  {:<24}", slope.width,
                           fmt::format("{} -> {}", slope.depth, slope.next_depth),
                           fmt::format("{:+.4f}", slope.slope.value), shown(slope.slope.ci95, "{:+.4f}"));
        if (fit.exact) out += fmt::format(" {:>11}", shown(slope.exact, "{:+.4f}"));
        out += "\n";
    }
}

} // namespace

std::string to_json(const FitReport& report, const Source& source) {
    Json tree;
    tree["source"] = {{"file", source.file},
                      {"spec", Json::parse(report.spec)},
                      {"version", source.version},
                      {"resamples", report.resamples},
                      {"seed", report.seed}};
    tree["rows"] = {{"all", report.rows.all},
                    {"finished", report.rows.finished},
                    {"pending", report.rows.pending},
                    {"failed", report.rows.failed},
                    {"damaged", report.rows.damaged}};
    tree["fits"] = Json::array();
    for (const auto& fit : report.fits) tree["fits"].push_back(tree_of(fit));
    tree["curves"] = Json::array();
    for (const auto& curves : report.curves) tree["curves"].push_back(tree_of(curves));
    tree["warnings"] = report.warnings;
    return tree.dump(2) + "\n";
}

std::string to_text(const FitReport& report) {
    std::string out;
    for (const auto& fit : report.fits) {
        out += fmt::format("{} criterion, threshold {:g}, layer {}\n", fit.criterion->name(), fit.threshold,
                           name_of(fit.layer));
        print_cells(out, fit);
        print_law(out, fit);
        print_slopes(out, fit);
        out += "\n";
    }
    for (const auto& warning : report.warnings) out += fmt::format("warning: {}\n", warning);
    return out;
}

} // namespace etastar::analysis

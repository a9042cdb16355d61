#include "etastar/analysis/report.hpp"

#include "etastar/names.hpp"

#include "../json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

// Cells or slopes of one table that the text shows in full.
constexpr std::size_t most_lines = 24;

// The f^2 share that is worth a word.
constexpr double much = 0.01;

constexpr const char* target_text =
    "the weighted least-squares slope of log eta* over these cells, with weights that are fixed beforehand";

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
    tree["target"] = target_text;
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

std::string shown(const Interval& i, const char* format) {
    const auto bound = [&](double x) {
        return std::isfinite(x) ? fmt::format(fmt::runtime(format), x) : std::string("?");
    };
    return fmt::format("[{}, {}]", bound(i.low), bound(i.high));
}

std::string shown(const std::optional<double>& x, const char* format) {
    return x && std::isfinite(*x) ? fmt::format(fmt::runtime(format), *x) : std::string("-");
}

// What is true of some cells only.
void print_remarks(std::string& out, const CriterionFit& fit) {
    std::size_t resampled = 0;
    std::size_t controlled = 0;
    double least = HUGE_VAL;
    double most = 0;
    const CellFit* largest = nullptr;
    for (const auto& cell : fit.cells) {
        resampled += cell.interval == IntervalMethod::bootstrap_t;
        if (cell.variance_ratio) {
            ++controlled;
            least = std::min(least, *cell.variance_ratio);
            most = std::max(most, *cell.variance_ratio);
        }
        if (cell.f2_share && *cell.f2_share > much
            && (largest == nullptr || *cell.f2_share > *largest->f2_share))
            largest = &cell;
    }
    if (controlled > 0)
        out += fmt::format("  (control variates in {} of {} cells: {:.3g} to {:.3g} times less variance)\n",
                           controlled, fit.cells.size(), least, most);
    if (resampled > 0)
        out += fmt::format("  (not log-normal, intervals by bootstrap-t: {} of {} cells)\n", resampled,
                           fit.cells.size());
    if (largest != nullptr)
        out += fmt::format("  (eta* is that of a unit error; E f^2 G / E G, which that leaves out, is up to "
                           "{:.2g} %, at L/n = {}/{})\n",
                           100 * *largest->f2_share, largest->depth, largest->width);
}

// Which entries of a table to show: all where they are few or asked for, else the first and the last of each width.
template <class Entry>
std::vector<bool> lines_to_show(const std::vector<Entry>& entries, bool all) {
    std::vector<bool> show(entries.size(), all || entries.size() <= most_lines);
    for (std::size_t i = 0; i < entries.size(); ++i)
        if (i == 0 || i + 1 == entries.size() || entries[i].width != entries[i - 1].width
            || entries[i].width != entries[i + 1].width)
            show[i] = true;
    return show;
}

std::string hidden(const std::vector<bool>& show, const char* what) {
    const auto number = std::count(show.begin(), show.end(), false);
    return number == 0 ? std::string() : fmt::format("  ({} {} between these: --all)\n", number, what);
}

void print_cells(std::string& out, const CriterionFit& fit, bool width_effect_is_known, bool all) {
    // Exact where there is such a theory, else of infinite width where there is that.
    const bool exact = fit.exact.has_value();
    const bool theory = exact || std::any_of(fit.cells.begin(), fit.cells.end(), [](const auto& cell) {
                            return cell.infinite.has_value();
                        });
    const bool training = fit.criterion->of_training();
    out += fmt::format("  {:>8} {:>6} {:>9} {:>11}  {:<24}", "width", "depth", "networks", "eta*",
                       "95 % interval");
    out += theory     ? fmt::format(" {:>11} {:>7}\n", exact ? "exact" : "n = inf", "z")
           : training ? fmt::format(" {:>11} {:>11} {:>11}\n", "eta* L^1.5", "eta* lam_0", "eta* lam_T")
                      : "\n";
    const auto show = lines_to_show(fit.cells, all);
    for (std::size_t i = 0; i < fit.cells.size(); ++i) {
        if (!show[i]) continue;
        const auto& cell = fit.cells[i];
        out += fmt::format("  {:>8} {:>6} {:>9} {:>11}  {:<24}", cell.width, cell.depth, cell.networks,
                           shown(cell.eta_star, "{:.5g}"), cell.eta_star ? shown(cell.ci95, "{:.5g}") : "-");
        if (theory)
            out += fmt::format(" {:>11} {:>7}", shown(exact ? cell.exact : cell.infinite, "{:.5g}"),
                               shown(cell.z, "{:+.2f}"));
        if (training && cell.eta_star)
            out += fmt::format(" {:>11.4g} {:>11} {:>11}", *cell.eta_star * std::pow(cell.depth, 1.5),
                               shown(*cell.eta_star * cell.kernel->initial.value, "{:.4g}"),
                               shown(*cell.eta_star * cell.kernel->final.value, "{:.4g}"));
        if (!cell.note.empty()) out += "  " + cell.note;
        out += "\n";
    }
    out += hidden(show, "cells");
    if (theory && !exact) {
        double error = 0;
        for (const auto& cell : fit.cells) error = std::max(error, cell.infinite_error);
        out +=
            fmt::format("  (n = inf: theory of infinite width{}; {})\n",
                        error > 0 ? fmt::format(", integrated to within {:.1g} %", 100 * error) : "",
                        width_effect_is_known
                            ? "z where what finite width takes, up to 16 L/n of it, is below half the error"
                            : "no z: what finite width takes is not known of this model");
    }
    const bool open = std::any_of(fit.cells.begin(), fit.cells.end(), [](const auto& cell) {
        return cell.eta_star && !(std::isfinite(cell.ci95.low) && std::isfinite(cell.ci95.high));
    });
    if (open)
        out +=
            "  (?: the sample bounds eta* on one side or on none; such a cell is in no exponent or slope)\n";
    print_remarks(out, fit);
}

std::string nothing_to_fit(const PowerLaw& law) {
    if (law.cells == 0) return "  no cell has an estimate with an error bar: nothing to fit\n";
    const auto cells = fmt::format("{} {} an estimate with an error bar", law.cells,
                                   law.cells == 1 ? "cell has" : "cells have");
    if (law.cells < law.terms)
        return fmt::format("  {}: too few to fit a constant and {}\n", cells,
                           law.terms == 2 ? "an exponent" : "two exponents");
    return fmt::format("  {}, but width and depth go together: nothing tells their exponents apart\n", cells);
}

void print_law(std::string& out, const CriterionFit& fit) {
    if (!fit.law.constant) {
        out += nothing_to_fit(fit.law);
        return;
    }
    const auto exact = fit.exact.value_or(PowerLaw{});
    const auto relative = fit.ratio.value_or(PowerLaw{});
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
        out += fmt::format("  (not one power law over this range, chi^2 = {:.3g} for {} degrees of freedom: "
                           "an exponent is {}; "
                           "see the local slopes)\n",
                           fit.law.chi_squared, fit.law.degrees, target_text);
}

void print_misalignment(std::string& out, const CriterionFit& fit, bool all) {
    if (fit.misalignment.empty()) return;
    out +=
        fmt::format("\n  misalignment, the standard deviation of log eta* among cells that agree where the "
                    "rate transfers\n  {:<36} {:>9}  {:<20} {:>9} {:>9}  {}\n",
                    "", "spread", "95 % interval", "observed", "noise", "p");
    std::size_t left_out = 0;
    for (const auto& spread : fit.misalignment) {
        // Of several parts the whole says enough.
        if (!all && spread.at && fit.misalignment.size() > 6) {
            ++left_out;
            continue;
        }
        const auto where = spread.at
                               ? fmt::format("{} {}", spread.over_widths ? "depth" : "width", *spread.at)
                               : std::string(spread.over_widths ? "every depth" : "every width");
        const auto what = spread.over_widths ? fmt::format("over widths, {}", where)
                                             : fmt::format("over depths, {}, eta* L^{:.2f}{}", where,
                                                           -spread.exponent, spread.fitted ? " (fit)" : "");
        out += fmt::format("  {:<36} {:>9.3f}  {:<20} {:>9.3f} {:>9.3f}  {:.2g}\n", what, spread.value,
                           shown(spread.ci95, "{:.3f}"), spread.observed, spread.noise, spread.p_value);
    }
    if (left_out > 0) out += fmt::format("  ({} of single depths and widths: --all)\n", left_out);
}

void print_slopes(std::string& out, const CriterionFit& fit, bool all) {
    if (fit.slopes.empty()) return;
    out += fmt::format("\n  {:>8}  {:<14} {:>11}  {:<24}", "width", "depths", "local slope", "95 % interval");
    out += fit.exact ? fmt::format(" {:>11}\n", "exact") : "\n";
    const auto show = lines_to_show(fit.slopes, all);
    for (std::size_t i = 0; i < fit.slopes.size(); ++i) {
        if (!show[i]) continue;
        const auto& slope = fit.slopes[i];
        out += fmt::format("  {:>8}  {:<14} {:>11}  {:<24}", slope.width,
                           fmt::format("{} -> {}", slope.depth, slope.next_depth),
                           fmt::format("{:+.4f}", slope.slope.value), shown(slope.slope.ci95, "{:+.4f}"));
        if (fit.exact) out += fmt::format(" {:>11}", shown(slope.exact, "{:+.4f}"));
        out += "\n";
    }
    out += hidden(show, "slopes");
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
    return tree.dump(2) + "\n";
}

std::string to_text(const FitReport& report, bool all) {
    std::string out;
    for (std::size_t i = 0; i < report.fits.size(); ++i) {
        const auto& fit = report.fits[i];
        if (fit.criterion->of_training())
            out += fmt::format("{} criterion: eta* is {}\n", fit.criterion->name(),
                               fit.criterion->statement(fit.step, fit.fraction.value_or(0)));
        else
            out += fmt::format("{} criterion, threshold {:g}{}, layer {}{}\n", fit.criterion->name(),
                               fit.threshold, fit.relative ? " E z^2" : "", name_of(fit.layer),
                               fit.statistic == Average::median ? ", median" : "");
        print_cells(out, fit, report.width_effect_is_known, all);
        print_law(out, fit);
        print_slopes(out, fit, all);
        print_misalignment(out, fit, all);
        out += "\n";
        // Of what only scales with the threshold, the factor.
        for (; fit.criterion->scales() && i + 1 < report.fits.size()
               && report.fits[i + 1].criterion == fit.criterion;
             ++i) {
            const double threshold = report.fits[i + 1].threshold;
            out += fmt::format(
                "{} criterion, threshold {:g}: eta*, its intervals and C are {:.6g} times those of "
                "threshold {:g}; all else is the same\n\n",
                fit.criterion->name(), threshold, std::sqrt(threshold) / std::sqrt(fit.threshold),
                fit.threshold);
        }
    }
    if (std::any_of(report.fits.begin(), report.fits.end(),
                    [](const auto& fit) { return fit.criterion->of_training(); }))
        out += "lam_0, lam_T: the tangent kernel's largest eigenvalue before training and after it, at the "
               "largest rate up to eta*; medians\nover networks. Without momentum a step of a fixed kernel "
               "shrinks the error where eta lam < 2. Exponents: weights n/L.\n\n";
    for (const auto& warning : report.warnings) out += fmt::format("warning: {}\n", warning);
    return out;
}

} // namespace etastar::analysis

#include "etastar/report/text.hpp"

#include "etastar/names.hpp"
#include "etastar/report/words.hpp"

#include "../json.hpp"
#include "notation.hpp"
#include "regression_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace etastar::report {
namespace {

using namespace analysis;

// Cells or slopes of one table that the text shows in full.
constexpr std::size_t most_lines = 24;

// The f^2 share that is worth a word.
constexpr double much = 0.01;

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
        out += fmt::format("  (control variates in {} of {} cells: {} times less variance)\n", controlled,
                           fit.cells.size(), range_text(least, most, " to "));
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
        out += fmt::format("  (not one power law over this range, chi^2 = {} for {}: "
                           "an exponent is {}; "
                           "see the local slopes)\n",
                           chi_squared_text(fit.law.chi_squared), freedom_text(fit.law.degrees),
                           regression_target);
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

// What was swept, where the sweep had a target.
std::optional<sweep::Spec> spec_with_target(const FitReport& report) {
    if (!Json::parse(report.spec).contains("target_ci")) return std::nullopt;
    return sweep::from_json(report.spec);
}

} // namespace

std::string to_text(const FitReport& report, bool all) {
    std::string out;
    const auto spec = spec_with_target(report);
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
        if (const auto target = spec ? target_sentence(*spec, report, fit) : std::string(); !target.empty())
            out += fmt::format("  ({})\n", replaced(target, "±", "+- "));
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

} // namespace etastar::report

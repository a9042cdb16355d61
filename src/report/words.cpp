#include "etastar/report/words.hpp"

#include "etastar/error.hpp"
#include "etastar/names.hpp"

#include "notation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

namespace etastar::report {
namespace {

using namespace analysis;

constexpr double unlikely = 1e-3;     // p-value below which a law does not hold
constexpr std::uint64_t too_few = 20; // networks, for intervals to be trusted

std::string decimal(double x, int decimals) { return with_minus(fmt::format("{:.{}f}", x, decimals)); }

// Five digits; far from 1 as 1.2 × 10^{−7}.
std::string rate_text(double x, int digits = 5) {
    if (!std::isfinite(x)) return "?";
    auto text = fmt::format("{:.{}g}", x, digits);
    const auto e = text.find('e');
    if (e == std::string::npos) return with_minus(text);
    return with_minus(fmt::format("{} × 10^{{{}}}", text.substr(0, e), std::stoi(text.substr(e + 1))));
}

std::string interval_text(const Interval& i, int decimals) {
    const auto end = [&](double x) { return std::isfinite(x) ? decimal(x, decimals) : std::string("?"); };
    return fmt::format("[{}, {}]", end(i.low), end(i.high));
}

std::string rates_text(const Interval& i) {
    return fmt::format("[{}, {}]", rate_text(i.low), rate_text(i.high));
}

bool holds(const Interval& i, double x) { return i.low <= x && x <= i.high; }

std::string share_text(std::uint64_t part, std::uint64_t all) {
    // Never rounded up to the whole.
    return fmt::format("{:.1f} %",
                       std::floor(1000 * static_cast<double>(part) / static_cast<double>(all)) / 10);
}

std::string axis_text(const std::vector<std::uint32_t>& values) {
    if (values.size() <= 8) return fmt::format("{}", fmt::join(values, ", "));
    return fmt::format("{} to {} ({} values)", values.front(), values.back(), values.size());
}

// The word of this name, or the name itself.
std::string word_for(const std::map<std::string_view, std::string>& words, std::string_view name) {
    const auto found = words.find(name);
    return found == words.end() ? std::string(name) : found->second;
}

std::string networks_text(const sweep::Spec& spec) {
    const auto& model = spec.model;
    auto activation = word_for({{"relu", "ReLU"},
                                {"leaky-relu", fmt::format("leaky ReLU (slope {:g} below 0)", model.leak)},
                                {"gelu", "GELU"},
                                {"silu", "SiLU"}},
                               name_of(model.activation));
    auto text =
        activation
        + word_for({{"mlp", " multilayer perceptrons"},
                    {"residual", fmt::format(" residual networks (branches scaled by τ = L^{{{}}})",
                                             with_minus(fmt::format("{:g}", 0 - model.branch_power)))}},
                   name_of(model.architecture));
    model::Model own = model;
    own.weight_variance.reset();
    if (model.gain() != own.gain())
        text += fmt::format(" with weights of variance {:g} over fan-in", model.gain());
    if (model.biases) text += model.gain() != own.gain() ? " and biases" : " with biases";
    text += word_for({{"all", ""},
                      {"first", ", of which the first layer alone learns"},
                      {"hidden", ", of which the hidden layers alone learn"},
                      {"last", ", of which the read-out alone learns"}},
                     name_of(model.train));
    return text;
}

std::string optimizer_text(const sweep::Spec& spec) {
    auto text =
        word_for({{"sgd", "gradient descent"},
                  {"sign", "signSGD (Adam’s first step)"},
                  {"normalized", "the orthogonalised gradient (Muon’s first step)"},
                  {"momentum", fmt::format("gradient descent with momentum {:g}", spec.training.momentum)},
                  {"adam", "Adam"}},
                 sweep::optimizer_name(spec));
    return text
           + word_for({{"mup", " at maximal-update (μP) rates"}, {"global", " at one rate for every layer"}},
                      name_of(spec.model.parametrization));
}

// Trials that the sweep had no need of.
std::uint64_t not_needed(const RowCounts& rows) {
    return rows.all - rows.finished - rows.pending - rows.failed - rows.damaged;
}

std::vector<std::string> question_of(const sweep::Spec& spec) {
    std::vector<std::string> out;
    const auto what = networks_text(spec);
    if (spec.trains()) {
        const auto& data = spec.training.data;
        auto examples = data.online ? fmt::format("{} a step", counted(data.samples, "fresh example"))
                                    : counted(data.samples, "example");
        if (!data.online && !data.full_batch())
            examples += fmt::format(" in batches of {}", data.batch_size());
        out.push_back(
            fmt::format("At which learning rates {} {} of {} on {} (data: {}) train {}, and how do these "
                        "rates change with width n and depth L?",
                        spec.training.steps == 1 ? "does" : "do", counted(spec.training.steps, "step"),
                        optimizer_text(spec), examples, name_of(data.source), what));
    } else {
        out.push_back(
            fmt::format("How large a base learning rate η can the first step of {} from random "
                        "initialisation take in {}, before it moves the pre-activations by more than a "
                        "threshold, and how does that rate η* change with width n and depth L?",
                        optimizer_text(spec), what));
    }
    out.push_back(fmt::format("The grid: {} n = {}; {} L = {}; {}{} for each, every one at {}: {}{}, {}, "
                              "computed by the {} engine.",
                              spec.width.size() == 1 ? "width" : "widths", axis_text(spec.width),
                              spec.depth.size() == 1 ? "depth" : "depths", axis_text(spec.depth),
                              spec.has_target() ? "up to " : "", counted(spec.seeds, "random network"),
                              counted(spec.eta.size(), "rate"), spec.has_target() ? "at most " : "",
                              counted(spec.networks(), "network"), counted(spec.rows(), "trial"),
                              name_of(spec.engine)));
    if (spec.has_target())
        out.push_back(
            fmt::format("Networks are added until the depth exponent is known to ±{:g}, half of its 95 % "
                        "interval, by the criterion {}.",
                        spec.target.ci, spec.target_criterion()));
    return out;
}

std::vector<std::string> missing_of(const sweep::Spec& spec, const FitReport& fit) {
    std::vector<std::string> out;
    const auto& rows = fit.rows;
    const auto left_out = not_needed(rows);
    if (rows.pending > 0) {
        if (rows.finished == 0)
            out.push_back(fmt::format("The sweep has not ended, and no trial has run yet: {}{} to come.",
                                      spec.has_target() ? "at most " : "all ",
                                      rows.all == 1 ? "1 is" : fmt::format("{} are still", rows.all)));
        else if (spec.has_target())
            out.push_back(fmt::format(
                "The sweep has not ended: {} of at most {} trials have run; its target may need fewer. "
                "What follows rests on what there is.",
                rows.finished, rows.all));
        else
            out.push_back(
                fmt::format("The sweep has not ended: {} of {} trials have run ({}), {} still to come. "
                            "What follows rests on what there is.",
                            rows.finished, rows.all, share_text(rows.finished, rows.all), rows.pending));
    }
    if (rows.failed > 0)
        out.push_back(
            fmt::format("{} of {} trials failed and are left out; `etastar sweep --resume` runs them again.",
                        rows.failed, rows.all));
    if (rows.damaged > 0)
        out.push_back(
            fmt::format("{} of {} rows are damaged and left out; `etastar sweep --resume` runs them again.",
                        rows.damaged, rows.all));
    if (left_out > 0)
        out.push_back(fmt::format("{} of {} were not needed for the target and have not run.", left_out,
                                  counted(rows.all, "trial")));
    const auto their = [&](const char* word) { return spec.has_target() ? "at most" : word; };
    std::uint64_t fewest = spec.seeds;
    std::uint64_t most = 0;
    for (const auto& criterion : fit.fits)
        for (const auto& cell : criterion.cells) {
            fewest = std::min(fewest, cell.networks);
            most = std::max(most, cell.networks);
        }
    if (!out.empty() && rows.finished > 0 && fewest < spec.seeds)
        out.push_back(fewest == most ? fmt::format("Each cell has {} of {} {}.", most, their("its"),
                                                   counted(spec.seeds, "network"))
                                     : fmt::format("Cells have from {} to {} of {} {}.", fewest, most,
                                                   their("their"), counted(spec.seeds, "network")));
    return out;
}

std::string change_symbol(theory::Layer layer) {
    switch (layer) {
    case theory::Layer::last:
        return "(Δz^{L})^{2}, the squared change of the last hidden layer’s pre-activations,";
    case theory::Layer::max:
        return "the largest over layers of (Δz^{ℓ})^{2}, the squared change of pre-activations,";
    case theory::Layer::mean:
        return "the mean over layers of (Δz^{ℓ})^{2}, the squared change of pre-activations,";
    case theory::Layer::output:
        break;
    }
    return "(Δf)^{2}, the squared change of the output,";
}

// "loss_12" as loss_{12}.
std::string with_subscripts(const std::string& text) {
    static const std::regex loss("loss_(\\w+)");
    return std::regex_replace(text, loss, "loss_{$1}");
}

std::string definition_of(const CriterionFit& fit) {
    if (fit.criterion->of_training())
        return fmt::format("η* is {}.",
                           with_subscripts(fit.criterion->statement(fit.step, fit.fraction.value_or(0))));
    return fmt::format("η* is the rate at which the {} over networks of {} reaches {}{}.",
                       name_of(fit.statistic), change_symbol(fit.layer),
                       !fit.relative          ? rate_text(fit.threshold)
                       : fit.threshold == 1.0 ? std::string("that of the pre-activations themselves")
                                              : fmt::format("{} times that of the pre-activations themselves",
                                                            rate_text(fit.threshold)),
                       fit.criterion->scales() ? ", to first order in η and for a unit error" : "");
}

std::string capitalised(std::string text) {
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 32);
    return text;
}

std::string p_text(double p) { return p < unlikely ? "p < 0.001" : fmt::format("p = {:.2g}", p); }

// Width, or depth, as the sentences about its exponent need it.
struct Axis {
    const char* name;
    const char* symbol;
    std::optional<LinearEstimate> PowerLaw::*exponent;
    std::uint32_t CellFit::*value;
};
constexpr Axis depth_axis{"depth", "L", &PowerLaw::depth, &CellFit::depth};
constexpr Axis width_axis{"width", "n", &PowerLaw::width, &CellFit::width};

// Of the cells with an estimate.
std::set<std::uint32_t> values_of(const CriterionFit& fit, const Axis& axis) {
    std::set<std::uint32_t> values;
    for (const auto& cell : fit.cells)
        if (cell.eta_star) values.insert(cell.*axis.value);
    return values;
}

// "[−0.3 %, +0.2 %]": what an exponent makes of the whole range.
std::string change_over_range(const Interval& exponent, std::uint32_t first, std::uint32_t last) {
    const double span = std::log(static_cast<double>(last) / first);
    const auto percent = [&](double e) {
        return with_minus(fmt::format("{:+.2g} %", 100 * std::expm1(e * span)));
    };
    return fmt::format("[{}, {}]", percent(exponent.low), percent(exponent.high));
}

std::string theory_exponent(const CriterionFit& fit, const Axis& axis, int decimals) {
    if (!fit.exact || !(*fit.exact.*axis.exponent).has_value()) return {};
    return decimal((*fit.exact.*axis.exponent)->value, decimals);
}

std::string exponent_sentence(const CriterionFit& fit, const Axis& axis) {
    const auto values = values_of(fit, axis);
    if (values.empty()) return {};
    if (values.size() == 1)
        return fmt::format("There is one {} with an estimate, {} = {}: how η* depends on {} cannot be told.",
                           axis.name, axis.symbol, *values.begin(), axis.name);
    const auto& exponent = fit.law.*axis.exponent;
    if (!exponent)
        return fmt::format("How η* depends on {} cannot be told from these cells: {}.", axis.name,
                           fit.law.cells < fit.law.terms ? "too few have an estimate with an error bar"
                                                         : "width and depth go together in them");
    const int decimals = decimals_of(exponent->standard_error);
    const auto value = decimal(exponent->value, decimals);
    const auto interval = interval_text(exponent->ci95, decimals);
    const auto theory = theory_exponent(fit, axis, decimals);
    const auto last =
        theory.empty() ? std::string(".")
                       : fmt::format("; the same fit to exact theory at these very cells gives {}.", theory);
    if (!std::isfinite(exponent->ci95.low) || !std::isfinite(exponent->ci95.high))
        return fmt::format("η* goes with {} as {}^{{{}}}, without an interval: {}", axis.name, axis.symbol,
                           value, "the cells’ errors are not known well enough.");
    if (holds(exponent->ci95, 0))
        return fmt::format(
            "No dependence on {} is seen: the exponent of {} is {}, 95 % interval {}, by which η* "
            "changes by {} from {} = {} to {}{}",
            axis.name, axis.symbol, value, interval,
            change_over_range(exponent->ci95, *values.begin(), *values.rbegin()), axis.symbol,
            *values.begin(), *values.rbegin(), last);
    return fmt::format("η* {} with {} as {}^{{{}}}, 95 % interval {}{}",
                       exponent->value < 0 ? "falls" : "grows", axis.name, axis.symbol, value, interval,
                       last);
}

// That one power of the depth is not the whole story.
std::string bend_sentence(const CriterionFit& fit) {
    if (fit.law.degrees == 0 || fit.law.p_value >= unlikely) return {};
    auto text = fmt::format(
        "The cells do not lie on one power law (χ^{{2}} = {} for {}, {}): an exponent is a mean "
        "slope over this range",
        fit.law.chi_squared < 1e6 ? chi_squared_text(fit.law.chi_squared) : rate_text(fit.law.chi_squared, 3),
        freedom_text(fit.law.degrees), p_text(fit.law.p_value));
    if (fit.slopes.size() < 2) return text + ".";
    const auto by_value = [](const LocalSlope& a, const LocalSlope& b) {
        return a.slope.value < b.slope.value;
    };
    const auto [least, most] = std::minmax_element(fit.slopes.begin(), fit.slopes.end(), by_value);
    const auto slope = [](const LocalSlope& s) {
        const int decimals = decimals_of(s.slope.standard_error);
        return fmt::format("{} {} (n = {}, L = {} to {})", decimal(s.slope.value, decimals),
                           interval_text(s.slope.ci95, decimals), s.width, s.depth, s.next_depth);
    };
    return fmt::format("{}. Between neighbouring depths the slope lies between {} and {}.", text,
                       slope(*least), slope(*most));
}

// That nothing tests the law, or that what is missing of the grid may pass for an exponent.
std::string untested_sentence(const CriterionFit& fit) {
    if (!fit.law.depth && !fit.law.width) return {};
    if (fit.law.degrees == 0)
        return fmt::format("The fit has as many coefficients as there are cells, {}: nothing tests that η* "
                           "is a power law here, "
                           "and its exponents take up whatever bends.",
                           fit.law.cells);
    const auto estimated = values_of(fit, width_axis).size() * values_of(fit, depth_axis).size();
    if (fit.law.depth && fit.law.width && fit.law.cells < estimated)
        return fmt::format(
            "Of the {} pairs of these widths and depths {} are in the fit: what bends with depth may in part "
            "pass for a dependence on width, and the other way round.",
            estimated, fit.law.cells);
    return {};
}

// That the law fitted to measured over exact is 1 n^0 L^0 within its intervals.
bool ratio_agrees(const CriterionFit& fit) {
    if (!fit.ratio || !fit.ratio->constant) return false;
    const auto agrees = [](const std::optional<LinearEstimate>& e, double expected) {
        return !e || holds(e->ci95, expected);
    };
    return (fit.ratio->degrees == 0 || fit.ratio->p_value >= unlikely) && agrees(fit.ratio->constant, 1)
           && agrees(fit.ratio->width, 0) && agrees(fit.ratio->depth, 0);
}

// Measured over exact.
std::string ratio_sentence(const CriterionFit& fit) {
    if (!fit.ratio || !fit.ratio->constant) return {};
    std::string parts;
    const auto add = [&](const char* what, const std::optional<LinearEstimate>& e, double error) {
        if (!e) return;
        const int decimals = decimals_of(error);
        parts += fmt::format("{}{} {} {}", parts.empty() ? "" : ", ", what, decimal(e->value, decimals),
                             interval_text(e->ci95, decimals));
    };
    const auto& constant = fit.ratio->constant;
    add("constant", constant, constant->value * constant->standard_error);
    if (fit.ratio->width) add("exponent of n", fit.ratio->width, fit.ratio->width->standard_error);
    if (fit.ratio->depth) add("exponent of L", fit.ratio->depth, fit.ratio->depth->standard_error);
    if (ratio_agrees(fit))
        return fmt::format(
            "Fitted in the same way, the ratio of measurement to exact theory has {}: 1 within "
            "these errors.",
            parts);
    return fmt::format(
        "Measurement and exact theory differ beyond these errors: their ratio, fitted in the same way, "
        "has {}; a perfect match would be constant 1 and exponents 0{}.",
        parts,
        fit.ratio->degrees > 0 && fit.ratio->p_value < unlikely
            ? fmt::format(", and the ratio itself is no power law ({})", p_text(fit.ratio->p_value))
            : std::string());
}

// The z-scores of the cells.
std::string score_sentence(const CriterionFit& fit) {
    std::vector<double> scores;
    for (const auto& cell : fit.cells)
        if (cell.z && std::isfinite(*cell.z)) scores.push_back(std::abs(*cell.z));
    if (scores.empty()) return {};
    const auto within = std::count_if(scores.begin(), scores.end(), [](double z) { return z <= 1.96; });
    const double largest = *std::max_element(scores.begin(), scores.end());
    const auto n = static_cast<double>(scores.size());
    // That the largest of so many is at least this by chance.
    const double chance = -std::expm1(n * std::log1p(-std::erfc(largest / std::sqrt(2.0))));
    const bool exact = fit.exact.has_value();
    const auto* theory = exact ? "exact theory" : "theory of infinite width";
    if (scores.size() == 1)
        return fmt::format("The one cell that can be compared is {:.1f} standard errors from {} ({}).",
                           largest, theory, p_text(chance));
    const auto outside = scores.size() - static_cast<std::size_t>(within);
    const char* weighed = "";
    if (ratio_agrees(fit) && chance < 0.05)
        weighed = chance < unlikely
                      ? ": single cells are off, though the fitted ratio does not show it"
                      : ": a hint that single cells are off, which the fitted ratio does not show";
    else if (fit.ratio && fit.ratio->constant && !ratio_agrees(fit) && chance >= 0.05
             && outside <= 1 + scores.size() / 20)
        weighed = ": cell by cell no difference is seen";
    return fmt::format(
        "Of {} cells that can be compared one by one, {} {} within 1.96 standard errors of {}; the "
        "largest distance is {:.1f}, which chance exceeds in {}{}.",
        scores.size(), within, within == 1 ? "lies" : "lie", theory, largest,
        chance < unlikely ? "less than one sweep of a thousand"
                          : fmt::format("{:.2g} % of sweeps", 100 * chance),
        weighed);
}

// Against infinite width, where there is no exact theory.
std::string infinite_sentence(const CriterionFit& fit) {
    if (fit.exact) return {};
    double least = HUGE_VAL;
    double most = 0;
    std::size_t compared = 0;
    for (const auto& cell : fit.cells)
        if (cell.eta_star && cell.infinite) {
            ++compared;
            least = std::min(least, *cell.eta_star / *cell.infinite);
            most = std::max(most, *cell.eta_star / *cell.infinite);
        }
    if (compared == 0) return "There is no theory of these networks by this criterion to compare with.";
    if (compared == 1)
        return fmt::format(
            "There is no exact theory at finite width; that of infinite width is met to a factor {:.4g}.",
            least);
    return fmt::format(
        "There is no exact theory at finite width; over that of infinite width η* is {} in {} cells.",
        range_text(least, most, " to ", 4), compared);
}

// eta* at the ends of the depths of the largest width that has an estimate.
std::string range_sentence(const CriterionFit& fit) {
    const CellFit* first = nullptr;
    const CellFit* last = nullptr;
    for (const auto& cell : fit.cells) {
        if (!cell.eta_star) continue;
        // Of the last width that has an estimate.
        if (last == nullptr || cell.width != last->width) first = &cell;
        last = &cell;
    }
    if (last == nullptr) return {};
    const auto at = [](const CellFit& cell) {
        return fmt::format("{} {}", rate_text(*cell.eta_star), rates_text(cell.ci95));
    };
    if (first == last)
        return fmt::format("At n = {}, L = {}, η* is {}.", last->width, last->depth, at(*last));
    return fmt::format("At n = {}, η* goes from {} at L = {} to {} at L = {}.", last->width, at(*first),
                       first->depth, at(*last), last->depth);
}

std::string asymptote_sentence(const CriterionFit& fit) {
    if (!fit.law.depth || !fit.asymptote) return {};
    static const std::regex power("\\^\\(([^)]*)\\)");
    return fmt::format("In wide and deep networks theory tends to {}.",
                       std::regex_replace(law_text(fit.asymptote->law), power, "^{$1}"));
}

std::string absence_sentence(const CriterionFit& fit) {
    std::size_t absent = 0;
    std::size_t open = 0;
    const CellFit* example = nullptr;
    for (const auto& cell : fit.cells) {
        if (!cell.eta_star) {
            ++absent;
            if (example == nullptr && !cell.note.empty()) example = &cell;
        } else if (!std::isfinite(cell.ci95.low) || !std::isfinite(cell.ci95.high)) {
            ++open;
        }
    }
    std::string text;
    if (absent > 0) {
        text = absent == fit.cells.size() ? std::string("No cell has an estimate")
                                          : fmt::format("{} of {} cells {} no estimate", absent,
                                                        fit.cells.size(), absent == 1 ? "has" : "have");
        if (example != nullptr)
            text += fmt::format(" (n = {}, L = {}: {})", example->width, example->depth, example->note);
        text += absent == fit.cells.size()
                    ? "."
                    : fmt::format(" and {} in no exponent.", absent == 1 ? "is" : "are");
    }
    if (open > 0)
        text +=
            fmt::format("{}{} of {} cells {} an interval that is open on a side, or none: {} in no exponent.",
                        text.empty() ? "" : " ", open, fit.cells.size(), open == 1 ? "has" : "have",
                        open == 1 ? "it is" : "they are");
    return text;
}

void add_misalignment(const CriterionFit& fit, std::vector<std::string>& sentences) {
    std::map<bool, std::size_t> parts;
    for (const auto& spread : fit.misalignment) ++parts[spread.over_widths];
    for (const auto& spread : fit.misalignment) {
        // The whole, or the only part there is.
        if (spread.at && parts[spread.over_widths] > 1) continue;
        const auto among =
            spread.over_widths
                ? std::string("of different widths")
                : fmt::format("of different depths, once divided by L^{{{}}}{},", decimal(spread.exponent, 2),
                              spread.fitted ? " (the fitted exponent)" : "");
        const auto numbers =
            fmt::format("{:.3f} {}, {}", spread.value, interval_text(spread.ci95, 3), p_text(spread.p_value));
        sentences.push_back(
            spread.p_value < 0.05 ? fmt::format(
                "Rates {} do not agree: beyond its noise the standard deviation of log η* is {}.", among,
                numbers)
                                  : fmt::format("No difference between rates {} is seen: beyond its noise "
                                                "the standard deviation of log η* "
                                                "is {}.",
                                                among, numbers));
    }
}

void add_kernel(const sweep::Spec& spec, const CriterionFit& fit, std::vector<std::string>& sentences) {
    double least = HUGE_VAL;
    double most = 0;
    for (const auto& cell : fit.cells)
        if (cell.eta_star && cell.kernel && std::isfinite(cell.kernel->final.value)) {
            const double product = *cell.eta_star * cell.kernel->final.value;
            least = std::min(least, product);
            most = std::max(most, product);
        }
    if (most == 0) return;
    const auto range = range_text(least, most, " and ");
    sentences.push_back(fmt::format(
        "η* times the largest eigenvalue of the tangent kernel after training {} {}{}.",
        range.find(' ') == std::string::npos ? "is" : "lies between", range,
        sweep::optimizer_name(spec) == "sgd" ? "; on a fixed kernel gradient descent diverges above 2" : ""));
}

Headline headline_of(const CriterionFit& fit, const Axis& axis) {
    const auto& exponent = fit.law.*axis.exponent;
    const int decimals = decimals_of(exponent->standard_error);
    const auto theory = theory_exponent(fit, axis, decimals);
    return {fmt::format("exponent of {} {}", axis.name, axis.symbol), decimal(exponent->value, decimals),
            interval_text(exponent->ci95, decimals),
            theory.empty() ? "" : fmt::format("exact theory {}", theory)};
}

std::vector<Headline> headlines_of(const CriterionFit& fit) {
    std::vector<Headline> out;
    if (fit.law.depth) out.push_back(headline_of(fit, depth_axis));
    if (fit.law.width) out.push_back(headline_of(fit, width_axis));
    if (fit.law.constant) {
        const auto& c = *fit.law.constant;
        const auto form =
            fit.law.width || fit.law.depth
                ? fmt::format("C of η* = C{}{}", fit.law.width ? " n^{a}" : "", fit.law.depth ? " L^{b}" : "")
                : std::string("η*");
        const auto& exact = fit.exact ? fit.exact->constant : std::nullopt;
        const double error = c.value * c.standard_error;
        const bool plain_number = c.value >= 1e-3 && c.value < 1e4 && error > 1e-5;
        const int decimals = decimals_of(error);
        const auto text = [&](double x) { return plain_number ? decimal(x, decimals) : rate_text(x, 4); };
        out.push_back({form, text(c.value), fmt::format("[{}, {}]", text(c.ci95.low), text(c.ci95.high)),
                       exact ? fmt::format("exact theory {}", text(exact->value)) : std::string()});
    }
    return out;
}

Answer answer_of(const sweep::Spec& spec, const FitReport& report, const CriterionFit& fit) {
    Answer answer{capitalised(label_of(fit)), definition_of(fit), headlines_of(fit), {}};
    auto& sentences = answer.sentences;
    const auto add = [&](std::string sentence) {
        if (!sentence.empty()) sentences.push_back(std::move(sentence));
    };
    const bool any = std::any_of(fit.cells.begin(), fit.cells.end(),
                                 [](const auto& cell) { return cell.eta_star.has_value(); });
    add(target_sentence(spec, report, fit));
    if (any) {
        add(exponent_sentence(fit, depth_axis));
        add(exponent_sentence(fit, width_axis));
        add(untested_sentence(fit));
        add(bend_sentence(fit));
        if (!fit.criterion->of_training()) {
            add(ratio_sentence(fit));
            add(score_sentence(fit));
            if (fit.statistic == Average::mean)
                add(infinite_sentence(fit));
            else
                add("Theory is of means: a median has none to compare with.");
            add(asymptote_sentence(fit));
        }
        add(range_sentence(fit));
    }
    add(absence_sentence(fit));
    if (fit.criterion->of_training()) {
        add_misalignment(fit, sentences);
        add_kernel(spec, fit, sentences);
    }
    if (any && spec.seeds < too_few)
        add(fmt::format("With {} a cell the intervals are not to be trusted; {} or more would do.",
                        counted(spec.seeds, "network"), too_few));
    return answer;
}

} // namespace

std::string label_of(const CriterionFit& fit) {
    if (fit.criterion->of_training()) {
        auto text = fmt::format("{}, step {}", fit.criterion->name(), fit.step);
        if (fit.fraction) text += fmt::format(", fraction {:g}", *fit.fraction);
        return text;
    }
    return fmt::format("{}: {}, threshold {:g}{}{}{}", fit.criterion->name(),
                       replaced(fit.criterion->description(), "eta", "η"), fit.threshold,
                       fit.relative ? " E z²" : "",
                       fit.layer == theory::Layer::last ? "" : fmt::format(", layer {}", name_of(fit.layer)),
                       fit.statistic == Average::mean ? "" : ", median");
}

std::string target_sentence(const sweep::Spec& spec, const FitReport& report, const CriterionFit& fit) {
    const bool scales = fit.criterion->scales(); // the exponent is that of every threshold
    if (!spec.has_target() || fit.criterion->name() != spec.target_criterion()
        || fit.cells.size() != spec.cells())
        return {};
    if (fit.criterion->of_training()
            ? fit.step != spec.training.steps || fit.fraction != fit.criterion->standard_fraction()
            : fit.layer != theory::Layer::last || fit.relative || fit.statistic != Average::mean
                  || (!scales && fit.threshold != spec.target.threshold))
        return {};
    const bool ended = report.rows.pending == 0;
    const auto begin = fmt::format("The sweep {0} to go on until the depth exponent {0} known to ±{1:g}",
                                   ended ? "was" : "is", spec.target.ci);
    const auto* depth = fit.law.depth ? &*fit.law.depth : nullptr;
    const double half = depth == nullptr ? std::nan("") : (depth->ci95.high - depth->ci95.low) / 2;
    const bool reached = half <= spec.target.ci;
    // Why it ended all the same: a target that is not reached has left out no network.
    const auto end = [&]() -> std::string {
        if (!ended) return " so far.";
        if (reached) return ": the target is reached.";
        return report.rows.skipped == 0
                   ? fmt::format(": the target is not reached, for the {} of a cell (--seeds) ended first.",
                                 counted(spec.seeds, "network"))
                   : ": the target is not reached.";
    };
    if (!std::isfinite(half)) return fmt::format("{}; these cells give no such interval{}", begin, end());
    // As many digits as tell the two apart.
    int digits = 3;
    while (digits < 6 && half != spec.target.ci
           && fmt::format("{:.{}g}", half, digits) == fmt::format("{:.{}g}", spec.target.ci, digits))
        ++digits;
    return fmt::format("{}; it is ±{:.{}g}{}", begin, half, digits, end());
}

std::string plain(const std::string& text) {
    return replaced(replaced(replaced(text, "^{", "^"), "}", ""), "−", "-");
}

Words in_words(const sweep::Spec& spec, const FitReport& fit) {
    Words words;
    words.title = spec.trains() ? "How large a learning rate does training allow?"
                                : "How large a learning rate does the first step allow?";
    words.question = question_of(spec);
    words.missing = missing_of(spec, fit);
    for (std::size_t i = 0; i < fit.fits.size(); ++i) {
        const auto& first = fit.fits[i];
        words.answers.push_back(answer_of(spec, fit, first));
        for (; first.criterion->scales() && i + 1 < fit.fits.size()
               && fit.fits[i + 1].criterion == first.criterion;
             ++i)
            words.answers.back().sentences.push_back(
                fmt::format("At threshold {:g} η* and its intervals are {:.6g} times those at threshold "
                            "{:g}; all else is "
                            "the same.",
                            fit.fits[i + 1].threshold, std::sqrt(fit.fits[i + 1].threshold / first.threshold),
                            first.threshold));
    }
    return words;
}

} // namespace etastar::report

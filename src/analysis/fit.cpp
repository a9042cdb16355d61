#include "etastar/analysis/fit.hpp"

#include "etastar/analysis/variance.hpp"
#include "etastar/error.hpp"
#include "etastar/model/description.hpp"
#include "etastar/names.hpp"

#include "estimators.hpp"
#include "exact.hpp"
#include "law.hpp"
#include "misalignment.hpp"
#include "training.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace etastar::analysis {
namespace {

constexpr std::uint64_t few_networks = 20;
constexpr double deep = 0.1; // L/n above which the response is heavy-tailed
constexpr std::size_t most_curve_points = 200;
constexpr std::size_t most_infinite_points = 48; // each takes some thirty walks through the layers

bool contains(const Range& range, std::uint32_t value) { return range.first <= value && value <= range.last; }

// From the first to the last of `ran`: every integer where these are few, else equal ratios, and `ran` itself.
std::vector<std::uint32_t> between(const std::set<std::uint32_t>& ran, std::size_t most = most_curve_points) {
    const auto first = *ran.begin();
    const auto last = *ran.rbegin();
    auto points = ran;
    if (last - first < most)
        for (auto x = first; x < last; ++x) points.insert(x);
    else
        for (std::size_t i = 0; i < most; ++i)
            points.insert(static_cast<std::uint32_t>(
                std::lround(first
                            * std::pow(static_cast<double>(last) / first,
                                       static_cast<double>(i) / (static_cast<double>(most) - 1)))));
    return {points.begin(), points.end()};
}

// eta* by theory; nothing where the threshold is relative to what it does not know.
std::optional<double> exact_rate(const TrialTable& table, const Estimator& criterion, std::uint32_t width,
                                 std::uint32_t depth, theory::Layer layer, double threshold, bool relative) {
    const auto c = bound(table, theory::Regime::finite_width, width, depth, layer, threshold, relative);
    return c ? criterion.exact(table, width, depth, layer, *c) : std::nullopt;
}

std::optional<double> rate_at_infinite_width(const TrialTable& table, const Estimator& criterion,
                                             std::uint32_t width, std::uint32_t depth, theory::Layer layer,
                                             double threshold, bool relative) {
    const auto c = bound(table, theory::Regime::infinite_width, width, depth, layer, threshold, relative);
    return c ? criterion.infinite(table, width, depth, layer, *c) : std::nullopt;
}

// The criterion's exact eta* over the depths that ran, and over the widths; a curve has two ends, which have run.
void add_theory_curves(const TrialTable& table, CriterionFit& fit) {
    std::map<std::uint32_t, std::set<std::uint32_t>> depths; // that ran, by width
    std::map<std::uint32_t, std::set<std::uint32_t>> widths;
    std::set<std::uint32_t> all_depths;
    for (const auto& cell : fit.cells)
        if (cell.networks > 0) {
            depths[cell.width].insert(cell.depth);
            widths[cell.depth].insert(cell.width);
            all_depths.insert(cell.depth);
        }
    const auto curves = [&](const auto& axis, auto exact) {
        std::vector<ExactCurve> result;
        for (const auto& [at, ran] : axis) {
            if (ran.size() < 2) continue;
            ExactCurve curve{at, between(ran), {}};
            for (const auto x : curve.x) curve.eta_star.push_back(exact(at, x).value_or(std::nan("")));
            result.push_back(std::move(curve));
        }
        return result;
    };
    const auto exact = [&](std::uint32_t width, std::uint32_t depth) {
        return exact_rate(table, *fit.criterion, width, depth, fit.layer, fit.threshold, fit.relative);
    };
    if (fit.exact) {
        fit.exact_in_depth = curves(depths, exact);
        fit.exact_in_width =
            curves(widths, [&](std::uint32_t depth, std::uint32_t width) { return exact(width, depth); });
    }
    if (all_depths.size() < 2 || fit.statistic != Average::mean) return;
    const bool one = infinite_width_is_one(table);
    const std::size_t most = infinite_step_is_costly(table) ? 0 : most_infinite_points;
    // Cells have theirs already.
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::optional<double>> known;
    for (const auto& cell : fit.cells) known[{one ? 0 : cell.width, cell.depth}] = cell.infinite;
    for (const auto& [width, ran] : depths) {
        if (one && !fit.infinite.empty()) break;
        const auto& over = one ? all_depths : ran;
        if (over.size() < 2) continue;
        InfiniteCurve curve{one ? std::nullopt : std::optional(width),
                            most > 0 ? between(over, most)
                                     : std::vector<std::uint32_t>(over.begin(), over.end()),
                            {}};
        for (const auto depth : curve.depth) {
            const auto found = known.find({one ? 0 : width, depth});
            curve.eta_star.push_back((found != known.end()
                                          ? found->second
                                          : rate_at_infinite_width(table, *fit.criterion, width, depth,
                                                                   fit.layer, fit.threshold, fit.relative))
                                         .value_or(std::nan("")));
        }
        fit.infinite.push_back(std::move(curve));
    }
    if (!fit.relative) fit.asymptote = fit.criterion->asymptote(table, fit.layer, fit.threshold);
    if (!fit.asymptote) return;
    fit.asymptote_depth = {*all_depths.begin(), *all_depths.rbegin()};
    for (const double depth : fit.asymptote_depth)
        fit.asymptote_rate.push_back(fit.asymptote->constant
                                     * std::pow(depth, fit.asymptote->depth_exponent));
}

// Of what the table gives reason for, then of what its fits do.
void warn(const std::vector<Cell>& cells, const sweep::Spec& spec, const FitOptions& options,
          FitReport& report) {
    const auto& model = spec.model;
    const auto& rows = report.rows;
    if (rows.damaged > 0)
        report.warnings.push_back(
            fmt::format("{} of {} rows are damaged and left out", rows.damaged, rows.all));
    if (rows.pending > 0)
        report.warnings.push_back(fmt::format("{} of {} rows have not run yet{}", rows.pending, rows.all,
                                              spec.has_target() ? "; the target may need fewer" : ""));
    if (rows.failed > 0)
        report.warnings.push_back(
            fmt::format("{} of {} rows failed and are left out", rows.failed, rows.all));

    std::string heavy;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const bool deepest = i + 1 == cells.size() || cells[i + 1].width != cells[i].width;
        if (deepest && cells[i].depth > deep * cells[i].width)
            heavy += fmt::format("{}{}/{}", heavy.empty() ? "" : ", ", cells[i].depth, cells[i].width);
    }
    const bool steps = std::any_of(report.fits.begin(), report.fits.end(),
                                   [](const auto& fit) { return !fit.criterion->of_training(); });
    if (!heavy.empty() && steps && fluctuations_multiply(model) && options.statistic == Average::mean)
        report.warnings.push_back(
            fmt::format("L/n > {} (up to {}): finite width bends the law, and the response is so "
                        "heavy-tailed that eta* of the sample's mean leans to large values; its interval and "
                        "the exponents rest on the logarithms",
                        deep, heavy));
    const auto networks = cells.front().networks;
    if (networks < few_networks)
        report.warnings.push_back(fmt::format("{} a cell: fewer than {} make intervals unreliable",
                                              counted(networks, "network"), few_networks));
    for (const auto& fit : report.fits) {
        const auto number_of = [&](auto condition) {
            return std::count_if(fit.cells.begin(), fit.cells.end(), condition);
        };
        const auto tell = [&](std::ptrdiff_t number, const std::string& what) {
            if (number > 0)
                report.warnings.push_back(fmt::format(
                    "{}{}: {} in {} of {} cells", fit.criterion->name(),
                    fit.criterion->of_training() ? "" : fmt::format(", threshold {:g}", fit.threshold), what,
                    number, fit.cells.size()));
        };
        tell(number_of([](const CellFit& cell) { return cell.outside_grid; }),
             fit.criterion->of_training() ? "the eta grid does not bracket eta* (see the notes)"
                                          : "the eta grid does not bracket the threshold (see the notes)");
        tell(number_of([](const CellFit& cell) { return !cell.eta_star && !cell.outside_grid; }),
             "no estimate (see the notes)");
        tell(number_of([](const CellFit& cell) { return cell.note.rfind(rounding_note, 0) == 0; }),
             "rounding errors decide (an earlier --step has an answer)");
        if (networks >= few_networks)
            tell(number_of([](const CellFit& cell) { return cell.networks < few_networks; }),
                 fmt::format("fewer than {} networks", few_networks));
    }
    if (options.layer == theory::Layer::max)
        report.warnings.push_back(
            fmt::format("layer max: the {0} over networks of each network's largest layer; it has no exact "
                        "theory and is at least the largest {0}",
                        name_of(options.statistic)));
}

// Those asked for, or all that can be had from this table.
std::vector<const Estimator*> chosen(const TrialTable& table, const FitOptions& options) {
    std::vector<const Estimator*> result;
    const auto asked = !options.criteria.empty();
    for (const auto* criterion : asked ? std::span<const Estimator* const>(options.criteria) : estimators()) {
        auto columns = criterion->columns(options.layer);
        if (options.relative && !criterion->of_training()) columns.push_back(size_column(options.layer));
        const auto missing = std::find_if(columns.begin(), columns.end(),
                                          [&](const auto& name) { return !has_column(table, name); });
        if (missing == columns.end())
            result.push_back(criterion);
        else if (asked)
            throw UsageError(fmt::format("criterion: '{}' needs the column {}, which these rows do not have",
                                         criterion->name(), *missing));
    }
    return result;
}

// What finite width takes from eta* of a whole step, as a multiple of L/n of it: up to 14 +- 2 was measured
// (docs/results.md, section 6).
constexpr double width_effect = 16;

void compare_with_theory(const TrialTable& table, const Estimator& criterion, const FitOptions& options,
                         double threshold, CellFit& fit) {
    fit.exact =
        exact_rate(table, criterion, fit.width, fit.depth, options.layer, threshold, options.relative);
    fit.infinite = rate_at_infinite_width(table, criterion, fit.width, fit.depth, options.layer, threshold,
                                          options.relative);
    if (fit.infinite)
        fit.infinite_error =
            infinite_rate_error(table, fit.width, fit.depth, options.layer, *fit.infinite,
                                criterion.scales() ? theory::Criterion::linear : theory::Criterion::finite);
    if (fit.exact || !fit.infinite || !fit.eta_star || !(fit.relative_error > 0)) return;
    if (!fluctuations_are_known(table.plan.spec().model)) return;
    const double effect = width_effect * fit.depth / fit.width;
    if (effect < fit.relative_error / 2) fit.z = std::log(*fit.eta_star / *fit.infinite) / fit.relative_error;
}

CriterionFit fit_criterion(const TrialTable& table, const std::vector<Cell>& cells,
                           const Estimator& criterion, const FitOptions& options, double threshold) {
    CriterionFit result;
    result.criterion = &criterion;
    result.threshold = threshold;
    result.layer = options.layer;
    result.statistic = options.statistic;
    result.relative = options.relative;
    const auto& model = table.plan.spec().model;
    const bool training = criterion.of_training();
    if (training) {
        result.step = step_of(table, options);
        result.fraction = fraction_of(criterion, options);
    }
    result.weights = training ? "n/L" : weights_text(model, options.layer);
    std::vector<double> weights;
    for (const auto& cell : cells) {
        auto fit = criterion.estimate(cell, options, threshold);
        fit.width = cell.width;
        fit.depth = cell.depth;
        if (!training && options.statistic == Average::mean)
            compare_with_theory(table, criterion, options, threshold, fit);
        result.cells.push_back(std::move(fit));
        weights.push_back(regression_weight(criterion, model, options.layer, cell.width, cell.depth));
    }
    result.law = fit_law(result.cells, Quantity::measured, weights);
    result.slopes = local_slopes(result.cells);
    if (training) result.misalignment = misalignment(result.cells, result.law);
    if (std::any_of(result.cells.begin(), result.cells.end(),
                    [](const auto& cell) { return cell.exact.has_value(); })) {
        result.exact = fit_law(result.cells, Quantity::exact, weights);
        result.ratio = fit_law(result.cells, Quantity::ratio, weights);
    }
    if (options.curves && !training) add_theory_curves(table, result);
    return result;
}

// Throws UsageError for a range without any value of the axis.
void check_ranges(const char* option, const std::vector<Range>& ranges,
                  const std::vector<std::uint32_t>& axis) {
    for (const auto& range : ranges)
        if (std::none_of(axis.begin(), axis.end(), [&](auto value) { return contains(range, value); }))
            throw UsageError(fmt::format("{}: {} is not in this sweep; there is {}", option,
                                         range.first == range.last
                                             ? fmt::format("{}", range.first)
                                             : fmt::format("{}:{}", range.first, range.last),
                                         fmt::join(axis, ", ")));
}

std::optional<CriterionCurves> curves_of(const std::vector<Cell>& cells, const Estimator& criterion,
                                         const FitOptions& options) {
    CriterionCurves result{&criterion, options.layer, options.relative, {}};
    for (const auto& cell : cells)
        if (auto curve = criterion.curve(cell, options)) {
            curve->width = cell.width;
            curve->depth = cell.depth;
            result.cells.push_back(std::move(*curve));
        }
    return result.cells.empty() ? std::nullopt : std::optional(std::move(result));
}

// Options of one family of criteria with a criterion of the other.
void check_options_of(const Estimator& criterion, const FitOptions& options) {
    const auto refuse = [&](const char* option) {
        throw UsageError(fmt::format("{}: is of criteria of {}; '{}' is one of {}", option,
                                     criterion.of_training() ? "a first step" : "training", criterion.name(),
                                     criterion.of_training() ? "training" : "a first step"));
    };
    if (criterion.of_training()) {
        if (!options.thresholds.empty()) refuse("threshold");
        if (options.layer != theory::Layer::last) refuse("layer");
        if (options.statistic != Average::mean) refuse("statistic");
        if (options.relative) refuse("relative");
    } else {
        if (options.step) refuse("step");
        if (options.fraction) refuse("fraction");
    }
}

} // namespace

std::vector<Cell> selected_cells(const TrialTable& table, const FitOptions& options) {
    const auto& spec = table.plan.spec();
    check_ranges("width", options.widths, spec.width);
    check_ranges("depth", options.depths, spec.depth);
    const auto chosen = [](const std::vector<Range>& ranges, std::uint32_t value) {
        return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
                   return contains(range, value);
               });
    };
    std::vector<Cell> result;
    for (const auto& cell : cells(table))
        if (chosen(options.widths, cell.width) && chosen(options.depths, cell.depth)) result.push_back(cell);
    return result;
}

void check(const FitOptions& options) {
    for (const auto* criterion : options.criteria) {
        check_options_of(*criterion, options);
        if (!options.fraction || criterion->accepts_fraction(*options.fraction)) continue;
        if (!criterion->standard_fraction())
            throw UsageError(fmt::format("fraction: criterion '{}' has none", criterion->name()));
        throw UsageError(fmt::format("fraction: {:g} is {} 1; of criterion '{}' it is at {} 1",
                                     *options.fraction, *options.fraction < 1 ? "below" : "above",
                                     criterion->name(), *options.fraction < 1 ? "least" : "most"));
    }
    if (options.relative && options.layer == theory::Layer::output)
        throw UsageError("relative: layer output has no z^2; use last, max or mean");
}

FitReport fit(const TrialTable& table, const FitOptions& options) {
    check(options);
    FitReport report;
    report.spec = spec_of(table);
    const auto& spec = table.plan.spec();
    report.model = model::describe(spec.model, sweep::optimizer_name(spec));
    if (spec.trains()) report.model += "; " + describe_training(spec);
    report.width_effect_is_known = fluctuations_are_known(spec.model);
    report.resamples = options.resamples;
    report.seed = options.seed;
    report.rows = count_rows(table);
    const auto all = selected_cells(table, options);
    bool training = false;
    for (const auto* criterion : chosen(table, options)) {
        check_options_of(*criterion, options);
        training = training || criterion->of_training();
        const auto thresholds = options.thresholds.empty() ? std::vector<double>{1.0} : options.thresholds;
        for (const double threshold : thresholds)
            report.fits.push_back(fit_criterion(table, all, *criterion, options, threshold));
        if (!options.curves) continue;
        if (auto curves = curves_of(all, *criterion, options)) report.curves.push_back(std::move(*curves));
    }
    if (!training && options.curves) report.distributions = distributions(all, options.layer);
    if (training && options.curves) report.training = training_curves(table, all, options);
    warn(all, spec, options, report);
    return report;
}

} // namespace etastar::analysis

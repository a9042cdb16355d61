#include "etastar/analysis/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace etastar::analysis {
namespace {

using sweep::Status;
using sweep::TrialRow;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t few_networks = 20;
constexpr double deep = 0.1; // L/n above which the response is heavy-tailed

bool measured(const TrialRow& row) { return row.status == Status::done || row.status == Status::nonfinite; }

double infinite_if_nan(double x) { return std::isnan(x) ? infinity : x; }

double response_of(const TrialRow& row, theory::Layer layer) {
    switch (layer) {
    case theory::Layer::last:
        return infinite_if_nan(row.response_last);
    case theory::Layer::max:
        return infinite_if_nan(row.response_max);
    case theory::Layer::mean:
        return infinite_if_nan(row.response_mean);
    case theory::Layer::output:
        break;
    }
    return infinite_if_nan(row.response_output);
}

double change_of(const TrialRow& row, theory::Layer layer) {
    switch (layer) {
    case theory::Layer::last:
        return infinite_if_nan(row.dz2_last);
    case theory::Layer::max:
        return infinite_if_nan(row.dz2_max);
    case theory::Layer::mean:
        return infinite_if_nan(row.dz2_mean);
    case theory::Layer::output:
        break;
    }
    return infinite_if_nan(std::pow(row.output_after - row.output, 2));
}

// The rows of one (width, depth): networks x rates.
struct Cell {
    std::uint32_t width;
    std::uint32_t depth;
    std::size_t rates;
    const TrialRow* rows;
    std::uint64_t networks;

    const TrialRow& row(std::uint64_t network, std::size_t rate) const {
        return rows[network * rates + rate];
    }
};

std::vector<Cell> cells_of(const TrialTable& table) {
    std::vector<Cell> cells;
    const auto& spec = table.spec;
    const std::uint64_t rows_per_cell = spec.seeds * spec.eta.size();
    std::uint64_t first = 0;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            cells.push_back({width, depth, spec.eta.size(), table.rows.data() + first, spec.seeds});
            first += rows_per_cell;
        }
    return cells;
}

// Rates from an interval of log rates; ends that the samples cannot tell are NaN.
Interval rates_of(const Interval& logs) {
    const auto rate = [](double x) { return std::isfinite(x) ? std::exp(x) : std::nan(""); };
    return {rate(logs.low), rate(logs.high)};
}

// Why a cell without a usable network has none.
std::string absence(const Cell& cell) {
    const auto failed = std::count_if(cell.rows, cell.rows + cell.networks * cell.rates,
                                      [](const TrialRow& row) { return row.status == Status::failed; });
    return failed > 0 ? "its networks failed" : "no network has run";
}

// eta* = (c / mean (1 + f^2) G)^(1/2); z compares the mean of G itself with its exact expectation.
void fit_linear(const Cell& cell, const sweep::Spec& spec, const FitOptions& options, double threshold,
                CellFit& fit) {
    Samples samples;
    double sum = 0;
    double squares = 0;
    for (std::uint64_t i = 0; i < cell.networks; ++i)
        for (std::size_t k = 0; k < cell.rates; ++k)
            if (const auto& row = cell.row(i, k); measured(row)) {
                const double response = response_of(row, options.layer);
                samples.values.push_back(infinite_if_nan((1 + row.output * row.output) * response));
                sum += response;
                squares += response * response;
                break;
            }
    fit.networks = samples.count();
    const auto exact_response =
        theory::exact_responses(cell.width, cell.depth, spec.input_dim, spec.train, spec.rates)
            .of(options.layer);
    if (const double exact = theory::critical_rate(exact_response, threshold);
        std::isfinite(exact) && exact > 0)
        fit.exact = exact;
    if (fit.networks == 0) {
        fit.note = absence(cell);
        return;
    }
    const auto log_rate = [threshold](std::span<const double> means) {
        return means[0] > 0 ? 0.5 * std::log(threshold / means[0]) : infinity;
    };
    const auto estimate =
        bootstrap(samples, log_rate, options.resamples, options.seed, cell.width, cell.depth);
    if (!std::isfinite(estimate.value)) {
        fit.note = estimate.value > 0 ? "the response is zero: no rate reaches the threshold"
                                      : "the response left the range of floating point";
        return;
    }
    fit.eta_star = std::exp(estimate.value);
    fit.ci95 = rates_of(estimate.ci95);
    fit.relative_error = estimate.standard_error;

    const auto n = static_cast<double>(fit.networks);
    const double mean = sum / n;
    const double error = std::sqrt((squares / n - mean * mean) / (n - 1));
    if (!fit.exact || fit.networks < 2 || !(error > 0)) return;
    fit.z = (mean - exact_response) / error;
    fit.log_ratio = Measurement{0.5 * std::log(exact_response / mean), 0.5 * error / mean, n - 1};
}

// eta* is where the mean of dz^2 over networks crosses the threshold, interpolated in log-log between the
// rates.
void fit_finite(const Cell& cell, const FitOptions& options, double threshold, CellFit& fit) {
    Samples samples;
    samples.columns = cell.rates;
    for (std::uint64_t i = 0; i < cell.networks; ++i) {
        bool whole = true;
        for (std::size_t k = 0; k < cell.rates; ++k) whole = whole && measured(cell.row(i, k));
        if (!whole) continue;
        for (std::size_t k = 0; k < cell.rates; ++k)
            samples.values.push_back(change_of(cell.row(i, k), options.layer));
    }
    fit.networks = samples.count();
    if (fit.networks == 0) {
        fit.note = absence(cell);
        return;
    }
    std::vector<double> log_rates;
    for (std::size_t k = 0; k < cell.rates; ++k) log_rates.push_back(std::log(cell.row(0, k).eta));
    const auto crossing = [&, log_means =
                                  std::vector<double>(cell.rates)](std::span<const double> means) mutable {
        std::transform(means.begin(), means.end(), log_means.begin(),
                       [](double mean) { return std::log(mean); });
        return first_crossing(log_rates, log_means, std::log(threshold));
    };
    const auto estimate =
        bootstrap(samples, crossing, options.resamples, options.seed, cell.width, cell.depth);
    if (!std::isfinite(estimate.value)) {
        fit.outside_grid = true;
        fit.note =
            std::isnan(estimate.value) ? "the step leaves the range of floating point next to the threshold"
            : estimate.value < 0 ? fmt::format("already above the threshold at the smallest rate, {:.4g}",
                                               std::exp(log_rates.front()))
                                 : fmt::format("still below the threshold at the largest rate, {:.4g}",
                                               std::exp(log_rates.back()));
        return;
    }
    fit.eta_star = std::exp(estimate.value);
    fit.ci95 = rates_of(estimate.ci95);
    fit.relative_error = estimate.standard_error;
    if (std::isinf(estimate.ci95.low) || std::isinf(estimate.ci95.high))
        fit.note = "the interval reaches beyond the grid of rates";
}

// What a regression explains: log of the measured eta*, of the exact one, or of their ratio.
enum class Quantity { measured, exact, ratio };

// A cell's contribution to a regression; absent where it has no value with an error bar.
std::optional<Measurement> measurement_of(const CellFit& cell, Quantity quantity) {
    if (quantity == Quantity::ratio) return cell.log_ratio;
    const auto& rate = quantity == Quantity::exact ? cell.exact : cell.eta_star;
    if (!rate || !cell.eta_star || !std::isfinite(cell.relative_error)) return std::nullopt;
    return Measurement{std::log(*rate), cell.relative_error, static_cast<double>(cell.networks - 1)};
}

PowerLaw fit_law(const std::vector<CellFit>& cells, Quantity quantity) {
    PowerLaw law;
    std::vector<Measurement> measurements;
    std::vector<double> ones;
    std::vector<double> log_width;
    std::vector<double> log_depth;
    std::set<std::uint32_t> widths;
    std::set<std::uint32_t> depths;
    for (const auto& cell : cells) {
        const auto measurement = measurement_of(cell, quantity);
        if (!measurement) continue;
        measurements.push_back(*measurement);
        ones.push_back(1);
        log_width.push_back(std::log(cell.width));
        log_depth.push_back(std::log(cell.depth));
        widths.insert(cell.width);
        depths.insert(cell.depth);
    }
    std::vector<std::vector<double>> predictors{ones};
    if (widths.size() > 1) predictors.push_back(log_width);
    if (depths.size() > 1) predictors.push_back(log_depth);
    const auto regression = weighted_regression(measurements, predictors);
    if (!regression.determined) return law;

    std::size_t next = 0;
    auto constant = regression.coefficients[next++];
    constant.value = std::exp(constant.value);
    constant.ci95 = {std::exp(constant.ci95.low), std::exp(constant.ci95.high)};
    law.constant = constant;
    if (widths.size() > 1) law.width = regression.coefficients[next++];
    if (depths.size() > 1) law.depth = regression.coefficients[next++];
    law.chi_squared = regression.chi_squared;
    law.degrees = regression.degrees;
    law.p_value = regression.p_value;
    return law;
}

std::vector<LocalSlope> local_slopes(const std::vector<CellFit>& cells) {
    std::vector<LocalSlope> slopes;
    const CellFit* previous = nullptr;
    for (const auto& cell : cells) {
        const auto here = measurement_of(cell, Quantity::measured);
        if (!here) continue;
        if (previous != nullptr && previous->width == cell.width) {
            const double step = std::log(static_cast<double>(cell.depth) / previous->depth);
            const Measurement ends[] = {*measurement_of(*previous, Quantity::measured), *here};
            const double weights[] = {-1 / step, 1 / step};
            LocalSlope slope{cell.width, previous->depth, cell.depth, linear_combination(weights, ends), {}};
            if (previous->exact && cell.exact) slope.exact = std::log(*cell.exact / *previous->exact) / step;
            slopes.push_back(slope);
        }
        previous = &cell;
    }
    return slopes;
}

void warn(const TrialTable& table, const FitOptions& options, FitReport& report) {
    const auto count = [&](Status status) {
        return std::count_if(table.rows.begin(), table.rows.end(),
                             [&](const auto& row) { return row.status == status; });
    };
    if (table.damaged > 0)
        report.warnings.push_back(
            fmt::format("{} of {} rows are damaged and left out", table.damaged, table.rows.size()));
    if (const auto pending = count(Status::pending) - static_cast<std::ptrdiff_t>(table.damaged); pending > 0)
        report.warnings.push_back(fmt::format("{} of {} rows have not run yet", pending, table.rows.size()));
    if (const auto failed = count(Status::failed); failed > 0)
        report.warnings.push_back(
            fmt::format("{} of {} rows failed and are left out", failed, table.rows.size()));

    std::string heavy;
    for (const auto width : table.spec.width) {
        const auto depth = table.spec.depth.back();
        if (depth > deep * width) heavy += fmt::format("{}{}/{}", heavy.empty() ? "" : ", ", depth, width);
    }
    if (!heavy.empty())
        report.warnings.push_back(
            fmt::format("L/n > {} (up to {}): finite width bends the law and the response is "
                        "heavy-tailed; means converge slowly and intervals may be too narrow",
                        deep, heavy));
    if (table.spec.seeds < few_networks)
        report.warnings.push_back(fmt::format("{} networks a cell: fewer than {} make intervals unreliable",
                                              table.spec.seeds, few_networks));
    for (const auto& fit : report.fits) {
        const auto cells = [&](auto condition) {
            return std::count_if(fit.cells.begin(), fit.cells.end(), condition);
        };
        const auto tell = [&](std::ptrdiff_t number, const std::string& what) {
            if (number > 0)
                report.warnings.push_back(fmt::format("{}, threshold {:g}: {} in {} of {} cells",
                                                      sweep::name_of(fit.criterion), fit.threshold, what,
                                                      number, fit.cells.size()));
        };
        tell(cells([](const CellFit& cell) { return cell.outside_grid; }),
             "the eta grid does not bracket the threshold (see the notes)");
        tell(cells([](const CellFit& cell) { return !cell.eta_star && !cell.outside_grid; }),
             "no estimate (see the notes)");
        if (table.spec.seeds >= few_networks)
            tell(cells([](const CellFit& cell) { return cell.networks < few_networks; }),
                 fmt::format("fewer than {} networks", few_networks));
    }
    if (options.layer == theory::Layer::max)
        report.warnings.push_back(
            "layer max: the mean over networks of each network's largest layer; it has no exact "
            "theory and is at least the largest mean");
}

} // namespace

FitReport fit(const TrialTable& table, const FitOptions& options) {
    FitReport report;
    for (const auto criterion : options.criteria)
        for (const double threshold : options.thresholds) {
            CriterionFit result;
            result.criterion = criterion;
            result.threshold = threshold;
            result.layer = options.layer;
            for (const auto& cell : cells_of(table)) {
                CellFit cell_fit;
                cell_fit.width = cell.width;
                cell_fit.depth = cell.depth;
                if (criterion == Criterion::linear)
                    fit_linear(cell, table.spec, options, threshold, cell_fit);
                else
                    fit_finite(cell, options, threshold, cell_fit);
                result.cells.push_back(cell_fit);
            }
            result.law = fit_law(result.cells, Quantity::measured);
            result.slopes = local_slopes(result.cells);
            if (std::any_of(result.cells.begin(), result.cells.end(),
                            [](const auto& c) { return c.exact.has_value(); })) {
                result.exact = fit_law(result.cells, Quantity::exact);
                result.relative = fit_law(result.cells, Quantity::ratio);
            }
            report.fits.push_back(std::move(result));
        }
    warn(table, options, report);
    return report;
}

} // namespace etastar::analysis

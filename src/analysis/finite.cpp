#include "etastar/analysis/variance.hpp"
#include "etastar/names.hpp"

#include "../floating.hpp"
#include "estimators.hpp"
#include "exact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

// Beyond this L/n the mean step is carried by networks rarer than any sample.
constexpr double explosive = 0.5;

bool explodes(const Cell& cell) {
    const auto& model = cell.table->plan.spec().model;
    return fluctuations_multiply(model)
           && model.optimizer == model::optimizer_of<model::Sgd> && cell.depth >= explosive * cell.width;
}

// Control variates: up to this L/n and from this many networks, as coverage allows, and where they reduce the variance by
// this much.
constexpr double controllable = 0.0625;
constexpr double nearly_gaussian = 0.01;
constexpr double worthwhile = 1.5;

bool can_be_controlled(const Cell& cell, std::size_t networks) {
    if (!fluctuations_are_known(cell.table->plan.spec().model)) return false;
    const double slenderness = static_cast<double>(cell.depth) / cell.width;
    return slenderness <= controllable && networks >= (slenderness <= nearly_gaussian ? 20 : 100);
}

// Standard errors by which the mean response may miss theory before its expectation is no longer believed.
constexpr double believable = 4;

// The squared change of what the criterion looks at, of a row.
class Change {
public:
    Change(const TrialTable& table, theory::Layer layer)
        : of_output_(layer == theory::Layer::output),
          value_(column(table, of_output_ ? "output_after" : dz2_column(layer))),
          before_(column(table, of_output_ ? "output" : dz2_column(layer))) {}

    double operator[](std::uint64_t row) const {
        return infinite_if_nan(of_output_ ? std::pow(value_[row] - before_[row], 2) : value_[row]);
    }

    static std::string dz2_column(theory::Layer layer) { return "dz2_" + std::string(name_of(layer)); }

private:
    bool of_output_;
    Column value_;
    Column before_; // read for the output alone
};

// Networks x rates.
Samples changes(const Cell& cell, const std::vector<std::uint64_t>& networks, theory::Layer layer) {
    const Change change(*cell.table, layer);
    Samples samples;
    samples.columns = cell.rates;
    for (const auto i : networks)
        for (std::size_t k = 0; k < cell.rates; ++k) samples.values.push_back(change[cell.row(i, k)]);
    return samples;
}

// ||z||^2 / n of the same networks.
std::vector<double> sizes_of(const Cell& cell, const std::vector<std::uint64_t>& networks,
                             theory::Layer layer) {
    std::vector<std::uint64_t> rows;
    rows.reserve(networks.size());
    for (const auto i : networks) rows.push_back(cell.row(i, 0));
    return sizes(cell, layer, rows);
}

std::vector<double> column_of(const Samples& samples, std::size_t k) {
    std::vector<double> values;
    for (std::size_t i = 0; i < samples.count(); ++i)
        values.push_back(samples.values[i * samples.columns + k]);
    return values;
}

// Where a curve of the change against the rate, both in logs, crosses the threshold.
struct Crossing {
    double log_rate = 0; // as of first_crossing
    double slope = 0;    // there, of the interpolated curve
    std::size_t above = 0;
    double part = 0; // of the way from rate above - 1 to rate above
};

// Points of the curve between two rates, where the step is near that of infinite width: the curve of theory, bent so that
// it goes through the points at both ends. What it leaves to interpolate is what finite width changes, not the curve itself.
struct Points {
    std::vector<double> log_rates;
    std::vector<double> log_changes;
};

Points with_points_between(const Cell& cell, theory::Layer layer, const std::vector<double>& log_rates,
                           const std::vector<double>& log_changes, std::size_t above) {
    constexpr int pieces = 16;
    constexpr double near = 0.25; // of log dz^2
    Points points{log_rates, log_changes};
    if (infinite_step_is_costly(*cell.table)) return points;
    const auto theory = [&](double log_rate) {
        const auto change2 = infinite_change2(*cell.table, cell.width, cell.depth, layer, std::exp(log_rate));
        return change2 ? std::log(*change2) : std::nan("");
    };
    // The polynomial through what finite width changes at up to four rates about these two.
    std::vector<double> at;
    std::vector<double> excess;
    const std::size_t first = above >= 2 ? above - 2 : 0;
    for (std::size_t k = first; k < log_rates.size() && k < first + 4; ++k) {
        const double difference = log_changes[k] - theory(log_rates[k]);
        if (std::abs(difference) < near) {
            at.push_back(log_rates[k]);
            excess.push_back(difference);
        } else if (k + 1 == above || k == above) {
            return points;
        }
    }
    const auto interpolated = [&](double log_rate) {
        double sum = 0;
        for (std::size_t i = 0; i < at.size(); ++i) {
            double weight = 1;
            for (std::size_t k = 0; k < at.size(); ++k)
                if (k != i) weight *= (log_rate - at[k]) / (at[i] - at[k]);
            sum += weight * excess[i];
        }
        return sum;
    };
    const double left = log_rates[above - 1];
    const double width = log_rates[above] - left;
    for (int i = 1; i < pieces; ++i) {
        const double log_rate = left + width * i / pieces;
        const auto place = static_cast<std::ptrdiff_t>(above) + i - 1;
        points.log_rates.insert(points.log_rates.begin() + place, log_rate);
        points.log_changes.insert(points.log_changes.begin() + place,
                                  theory(log_rate) + interpolated(log_rate));
    }
    return points;
}

Crossing find_crossing(const Cell& cell, theory::Layer layer, const std::vector<double>& log_rates,
                       const std::vector<double>& log_changes, double log_threshold) {
    Crossing crossing{first_crossing(log_rates, log_changes, log_threshold), 0, 0, 0};
    if (!std::isfinite(crossing.log_rate)) return crossing;
    const auto after = std::upper_bound(log_rates.begin() + 1, log_rates.end() - 1, crossing.log_rate);
    crossing.above = static_cast<std::size_t>(after - log_rates.begin());
    const auto fine = with_points_between(cell, layer, log_rates, log_changes, crossing.above);
    crossing.log_rate = first_crossing(fine.log_rates, fine.log_changes, log_threshold);

    const double left = log_rates[crossing.above - 1];
    const double width = log_rates[crossing.above] - left;
    crossing.part = std::clamp((crossing.log_rate - left) / width, 0.0, 1.0);
    const double rise = log_changes[crossing.above] - log_changes[crossing.above - 1];
    crossing.slope = rise / width;
    const double step = std::abs(rise) / 100;
    const double before = first_crossing(fine.log_rates, fine.log_changes, log_threshold - step);
    const double behind = first_crossing(fine.log_rates, fine.log_changes, log_threshold + step);
    if (std::isfinite(before) && std::isfinite(behind) && behind > before)
        crossing.slope = 2 * step / (behind - before);
    return crossing;
}

std::string unbracketed(double log_rate, const std::vector<double>& log_rates) {
    if (std::isnan(log_rate)) return "the step leaves the range of floating point next to the threshold";
    return log_rate < 0 ? fmt::format("already above the threshold at the smallest rate, {:.4g}",
                                      std::exp(log_rates.front()))
                        : fmt::format("still below the threshold at the largest rate, {:.4g}",
                                      std::exp(log_rates.back()));
}

// The step itself: eta* is where the mean of dz^2 over networks crosses the threshold, interpolated in log-log between
// the rates, along the curve of infinite width where there is one.
class Finite final : public Estimator {
public:
    std::string_view name() const override { return "finite"; }
    std::string_view description() const override { return "the step itself"; }

    std::vector<std::string> columns(theory::Layer layer) const override {
        if (layer == theory::Layer::output) return {"eta", "output", "output_after"};
        return {"eta", Change::dz2_column(layer)};
    }

    std::optional<double> infinite(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                   theory::Layer layer, double threshold) const override {
        return infinite_rate(table, width, depth, layer, threshold, theory::Criterion::finite);
    }

    CellFit estimate(const Cell& cell, const FitOptions& options, double threshold) const override {
        CellFit fit;
        const auto networks = whole_networks(cell);
        fit.networks = networks.size();
        if (fit.networks == 0) {
            fit.note = absence(cell);
            return fit;
        }
        auto samples = changes(cell, networks, options.layer);
        const auto log_rates = logs(rates(cell));
        const auto size = sizes_of(cell, networks, options.layer);
        fit.z2 = mean_size(size);
        if (options.relative && !fit.z2) {
            note_no_size(fit);
        } else if (options.statistic == Average::median) {
            if (options.relative)
                for (std::size_t i = 0; i < samples.values.size(); ++i)
                    samples.values[i] = infinite_if_nan(samples.values[i] / size[i / samples.columns]);
            of_median(samples, log_rates, threshold, fit);
        } else if (explodes(cell))
            fit.note = fmt::format("L/n >= {}: the mean step is carried by explosions rarer than any sample; "
                                   "--statistic median may have an answer",
                                   explosive);
        else
            of_mean(cell, networks, samples, size, log_rates, options, threshold, fit);
        return fit;
    }

    std::optional<CellCurve> curve(const Cell& cell, const FitOptions& options) const override {
        const auto networks = whole_networks(cell);
        auto samples = changes(cell, networks, options.layer);
        if (samples.count() == 0) return std::nullopt;
        // What the values are shown over.
        double unit = 1;
        std::optional<double> infinite_unit = 1;
        if (options.relative) {
            const auto size = mean_size(sizes_of(cell, networks, options.layer));
            if (!size) return std::nullopt;
            unit = *size;
            infinite_unit = bound(*cell.table, theory::Regime::infinite_width, cell.width, cell.depth,
                                  options.layer, 1, true);
            for (double& value : samples.values) value /= unit;
        }
        CellCurve curve;
        curve.networks = samples.count();
        curve.eta = rates(cell);
        // Of logarithms, because a step past the threshold may be of any order of magnitude.
        curve.mean = column_means(samples);
        for (std::size_t k = 0; k < cell.rates; ++k) {
            auto ci95 = exponential(log_mean(column_of(samples, k), resampling(cell, options)).ci95);
            ci95.low = std::min(ci95.low, curve.mean[k]);
            ci95.high = std::max(ci95.high, curve.mean[k]);
            curve.ci95.push_back(ci95);
        }
        for (const double eta : curve.eta)
            if (const auto change2 =
                    infinite_change2(*cell.table, cell.width, cell.depth, options.layer, eta);
                change2 && infinite_unit)
                curve.infinite.push_back(*change2 / *infinite_unit);
        const auto linear = responses(cell, options.layer);
        if (linear.empty()) return curve;
        const double response = column_means({1, linear}).front();
        for (const double eta : curve.eta) curve.linear.push_back(eta * eta * response / unit);
        return curve;
    }

private:
    static void of_mean(const Cell& cell, const std::vector<std::uint64_t>& networks, const Samples& samples,
                        const std::vector<double>& size, const std::vector<double>& log_rates,
                        const FitOptions& options, double threshold, CellFit& fit) {
        const double log_threshold = std::log(threshold) + (options.relative ? std::log(*fit.z2) : 0.0);
        const auto crossing =
            find_crossing(cell, options.layer, log_rates, logs(column_means(samples)), log_threshold);
        if (!std::isfinite(crossing.log_rate)) {
            fit.outside_grid = true;
            fit.note = unbracketed(crossing.log_rate, log_rates);
            return;
        }
        fit.eta_star = std::exp(crossing.log_rate);

        // Each network's change at eta*, interpolated as the mean is.
        std::vector<double> at_crossing;
        at_crossing.reserve(samples.count());
        for (std::size_t i = 0; i < samples.count(); ++i) {
            const double* row = &samples.values[i * samples.columns + crossing.above - 1];
            const bool zero = row[0] == 0 || row[1] == 0;
            at_crossing.push_back(
                zero ? 0
                     : std::exp((1 - crossing.part) * std::log(row[0]) + crossing.part * std::log(row[1])));
        }
        if (with_theory(cell, networks, at_crossing, size, options, crossing, fit)) return;

        const auto change = options.relative ? log_ratio(at_crossing, size, resampling(cell, options))
                                             : log_mean(at_crossing, resampling(cell, options));
        // An estimate of the mean that is larger by some factor crosses earlier.
        const auto rate = [&](double log_change) {
            return crossing.log_rate - (log_change - change.sample) / crossing.slope;
        };
        take(fit, Measurement{rate(change.value), change.standard_error / crossing.slope, change.degrees},
             {rate(change.ci95.high), rate(change.ci95.low)}, change.method);
        if (fit.ci95.low < std::exp(log_rates.front()) || fit.ci95.high > std::exp(log_rates.back()))
            fit.note = "the interval reaches beyond the grid of rates";
    }

    // The mean change at eta* by regression on G, whose mean is known, and f y G, whose mean is 0. False where that is of
    // no use.
    static bool with_theory(const Cell& cell, const std::vector<std::uint64_t>& networks,
                            const std::vector<double>& at_crossing, const std::vector<double>& size,
                            const FitOptions& options, const Crossing& crossing, CellFit& fit) {
        const auto layer = options.layer;
        if (!can_be_controlled(cell, networks.size())) return false;
        const double expectation = exact_response(*cell.table, cell.width, cell.depth, layer);
        if (!std::isfinite(expectation) || !(expectation > 0)) return false;
        const auto& table = *cell.table;
        for (const auto* name : {"output", "target"})
            if (!has_column(table, name)) return false;
        if (!has_column(table, response_column(layer))) return false;
        const auto response = column(table, response_column(layer));
        const auto output = column(table, "output");
        const auto target = column(table, "target");

        std::vector<double> draws;
        std::vector<double> excess;
        std::vector<double> error;
        for (const auto i : networks) {
            const auto row = cell.row(i, 0);
            draws.push_back(response[row]);
            excess.push_back(response[row] / expectation - 1);
            error.push_back(output[row] * target[row] * response[row] / expectation);
        }
        const auto mean = log_mean(draws, {100, 0, cell.width, cell.depth});
        if (!(std::abs(mean.value - std::log(expectation)) < believable * mean.standard_error)) return false;

        std::vector<double> y;
        y.reserve(at_crossing.size());
        const double scale = column_means({1, at_crossing}).front();
        for (const double value : at_crossing) y.push_back(value / scale);
        // The threshold moves with the mean of z^2.
        if (options.relative)
            for (std::size_t i = 0; i < y.size(); ++i) y[i] += 1 - size[i] / *fit.z2;
        const auto controlled = with_controls(y, {excess, error});
        if (!controlled.determined || controlled.variance_ratio < worthwhile || !(controlled.value > 0))
            return false;
        const double log_rate = crossing.log_rate - std::log(controlled.value) / crossing.slope;
        fit.eta_star = std::exp(log_rate);
        const Measurement measured{log_rate, controlled.standard_error / controlled.value / crossing.slope,
                                   controlled.degrees};
        const double one[] = {1.0};
        take(fit, measured, linear_combination(one, std::span(&measured, 1)).ci95,
             IntervalMethod::control_variates);
        fit.variance_ratio = controlled.variance_ratio;
        return true;
    }

    // Where the median over networks crosses the threshold. At each rate the median lies between two order statistics; so
    // eta* lies between the crossings of their curves.
    static void of_median(const Samples& samples, const std::vector<double>& log_rates, double threshold,
                          CellFit& fit) {
        const auto ranks = median_ranks(samples.count());
        std::vector<double> middle;
        std::vector<double> low;
        std::vector<double> high;
        for (std::size_t k = 0; k < samples.columns; ++k) {
            auto sorted = column_of(samples, k);
            middle.push_back(std::log(median(sorted)));
            if (!ranks.exist) continue;
            std::sort(sorted.begin(), sorted.end());
            low.push_back(std::log(sorted[ranks.low]));
            high.push_back(std::log(sorted[ranks.high]));
        }
        const double log_threshold = std::log(threshold);
        const double log_rate = first_crossing(log_rates, middle, log_threshold);
        if (!std::isfinite(log_rate)) {
            fit.outside_grid = true;
            fit.note = unbracketed(log_rate, log_rates);
            return;
        }
        fit.eta_star = std::exp(log_rate);
        if (!ranks.exist) return;
        const Interval ends{first_crossing(log_rates, high, log_threshold),
                            first_crossing(log_rates, low, log_threshold)};
        take(fit, std::nullopt, ends, IntervalMethod::order_statistics);
        if (!std::isfinite(ends.low) || !std::isfinite(ends.high))
            fit.note = "the interval reaches beyond the grid of rates";
    }
};

} // namespace

const Estimator& finite_estimator() {
    static const Finite entry;
    return entry;
}

} // namespace etastar::analysis

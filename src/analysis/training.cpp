#include "training.hpp"

#include "etastar/error.hpp"

#include "../floating.hpp"
#include "estimators.hpp"
#include "resamples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace etastar::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<std::string> training_columns() {
    return {"eta", "loss_initial", "loss_final", "kernel_initial", "kernel_final"};
}

// Rows of one network back to back.
template <class T>
struct Table {
    std::size_t columns = 0;
    std::vector<T> values;

    std::size_t rows() const { return values.size() / columns; }
    const T* row(std::size_t i) const { return values.data() + i * columns; }
};

template <class T>
std::vector<T> sums(const Table<T>& table) {
    std::vector<T> result(table.columns);
    for (std::size_t i = 0; i < table.rows(); ++i)
        for (std::size_t k = 0; k < table.columns; ++k) result[k] += table.row(i)[k];
    return result;
}

// Numbers from 0 to 1.
double uniform(IndexGenerator& generator) {
    constexpr std::size_t steps = std::size_t{1} << 30;
    return (static_cast<double>(generator.below(steps)) + 0.5) / steps;
}

// log eta* of resamples of the networks, all rates of a network together. `rate` makes it of the sums over a resample's
// rows, and is given the numbers with which to blur it by what the grid of rates leaves open.
template <class T, class Rate>
std::vector<double> resample(const Table<T>& table, const Resampling& resampling, Rate&& rate) {
    IndexGenerator generator(
        random::Stream({resampling.seed, resampling.width, resampling.depth, 0, random::Role::resample}));
    std::vector<double> result;
    result.reserve(resampling.resamples);
    std::vector<T> sum(table.columns);
    for (std::size_t b = 0; b < resampling.resamples; ++b) {
        std::fill(sum.begin(), sum.end(), T{});
        for (std::size_t i = 0; i < table.rows(); ++i) {
            const T* row = table.row(generator.below(table.rows()));
            for (std::size_t k = 0; k < table.columns; ++k) sum[k] += row[k];
        }
        result.push_back(rate(sum, generator));
    }
    return result;
}

// The fit's error and percentile interval. An end beyond which over 2.5 % of the resamples leave the grid is open.
void take_resamples(CellFit& fit, std::vector<double> resampled, std::size_t networks) {
    std::vector<double> sorted = resampled;
    std::sort(sorted.begin(), sorted.end());
    double mean = 0;
    double squares = 0;
    std::size_t count = 0;
    for (const double value : sorted)
        if (std::isfinite(value)) {
            ++count;
            const double step = value - mean;
            mean += step / static_cast<double>(count);
            squares += step * (value - mean);
        }
    fit.resampled = std::move(resampled);
    if (count < 2) {
        fit.interval = IntervalMethod::bootstrap; // open on both sides
        fit.relative_error = std::nan("");
        return;
    }
    const auto end = [&](double probability) {
        const double value = quantile(sorted, probability);
        return std::isfinite(value) ? value : std::nan("");
    };
    take(fit,
         Measurement{std::log(*fit.eta_star), std::sqrt(squares / static_cast<double>(count - 1)),
                     static_cast<double>(networks - 1)},
         {end((1 - confidence) / 2), end((1 + confidence) / 2)}, IntervalMethod::bootstrap);
    if (!std::isfinite(fit.ci95.low) || !std::isfinite(fit.ci95.high))
        fit.note = "the interval reaches beyond the grid of rates";
}

KernelFit kernel_at(const Cell& cell, const Runs& runs, double eta_star) {
    const auto etas = rates(cell);
    std::size_t k = 0;
    while (k + 1 < etas.size() && etas[k + 1] <= eta_star) ++k;
    return {etas[k], median_of(runs.initial_kernels()), median_of(runs.final_kernels(k))};
}

// The criteria of training: `measure` sets eta* and its interval, or a note.
class OfTraining : public Estimator {
public:
    bool of_training() const final { return true; }
    std::vector<std::string> columns(theory::Layer) const final { return training_columns(); }

    CellFit estimate(const Cell& cell, const FitOptions& options, double) const final {
        CellFit fit;
        const Runs runs(cell);
        fit.networks = runs.networks();
        if (fit.networks == 0) {
            fit.note = absence(cell);
            return fit;
        }
        measure(cell, runs, options, fit);
        if (fit.eta_star) fit.kernel = kernel_at(cell, runs, *fit.eta_star);
        return fit;
    }

private:
    virtual void measure(const Cell& cell, const Runs& runs, const FitOptions& options,
                         CellFit& fit) const = 0;
};

// How far the crossing may be from the interpolated one, as a part of the way to any rate between its neighbours: all of
// it where the fraction of those that succeed at all falls to 0 within two steps of the grid. `fall`: of it, over the two
// steps about the crossing over which it falls most. The power is such that intervals cover logistic and normal laws of
// the networks' own largest rates (tests/statistics/coverage_test.cpp).
double undetermined(double fall) { return std::pow(fall, 10); }

// What it is for a network to succeed, up to step t.
struct Success {
    const char* name;
    const char* description;
    double standard; // Q
    bool loses;      // Q is at most 1, else at least 1
    const char* verb;
    const char* statement; // of t and Q
    // Losses at steps 0 .. t, NaN from where the run has stopped on, and Q loss_0.
    bool (*holds)(std::span<const double> losses, double bound);
};

// The largest rate at which half of the networks succeed: of the fraction of successes against log eta, interpolated
// between the last rate at which it is 1/2 or more and the next.
class Half final : public OfTraining {
public:
    explicit Half(const Success& success) : success_(success) {}

    std::string_view name() const override { return success_.name; }
    std::string_view description() const override { return success_.description; }
    std::optional<double> standard_fraction() const override { return success_.standard; }
    bool accepts_fraction(double q) const override { return success_.loses ? q <= 1 : q >= 1; }
    std::string statement(std::uint32_t step, double fraction) const override {
        return "the largest rate at which half of the networks "
               + fmt::format(fmt::runtime(success_.statement), fmt::arg("t", step), fmt::arg("Q", fraction));
    }

private:
    void measure(const Cell& cell, const Runs& runs, const FitOptions& options, CellFit& fit) const override {
        const auto step = step_of(*cell.table, options);
        const double fraction = *fraction_of(*this, options);
        Table<std::uint32_t> success{cell.rates, {}};
        for (std::size_t i = 0; i < runs.networks(); ++i)
            for (std::size_t k = 0; k < cell.rates; ++k) {
                const auto losses = runs.losses(i, k).first(step + 1);
                success.values.push_back(success_.holds(losses, fraction * losses[0]) ? 1 : 0);
            }
        const auto log_rates = logs(rates(cell));
        const auto counts = sums(success);
        const auto edge = last_half(counts, runs.networks(), log_rates);
        if (!std::isfinite(edge.log_rate)) {
            fit.outside_grid = true;
            fit.note = unbracketed(edge.log_rate, counts, runs.networks(), rates(cell));
            return;
        }
        fit.eta_star = std::exp(edge.log_rate);
        if (runs.networks() < 2) return;
        take_resamples(fit,
                       resample(success, resampling(cell, options),
                                [&](const std::vector<std::uint32_t>& drawn, IndexGenerator& generator) {
                                    const auto at = last_half(drawn, runs.networks(), log_rates);
                                    const double anywhere = at.left + uniform(generator) * at.width;
                                    if (!std::isfinite(at.log_rate)) return at.log_rate;
                                    return at.log_rate + undetermined(at.fall) * (anywhere - at.log_rate);
                                }),
                       runs.networks());
    }

    struct Edge {
        double log_rate =
            0;            // -infinity: fewer than half succeed at any rate; infinity: half do at the largest
        double left = 0;  // the rate before it,
        double width = 0; // and how far the next one is
        double fall = 0;  // as of undetermined
    };

    static Edge last_half(const std::vector<std::uint32_t>& counts, std::size_t networks,
                          const std::vector<double>& log_rates) {
        std::size_t after = counts.size();
        while (after > 0 && 2 * std::size_t{counts[after - 1]} < networks) --after;
        if (after == 0) return {-infinity};
        if (after == counts.size()) return {infinity};
        const double above = counts[after - 1];
        const double below = counts[after];
        const double left = log_rates[after - 1];
        const double width = log_rates[after] - left;
        const double earlier = after >= 2 ? std::max<double>(counts[after - 2], above) : above;
        const double later = after + 1 < counts.size() ? std::min<double>(counts[after + 1], below) : below;
        const double most = *std::max_element(counts.begin(), counts.end());
        return {left + width * (above - static_cast<double>(networks) / 2) / (above - below), left, width,
                std::max(earlier - below, above - later) / most};
    }

    std::string unbracketed(double side, const std::vector<std::uint32_t>& counts, std::size_t networks,
                            const std::vector<double>& etas) const {
        if (side > 0)
            return fmt::format("half of the networks still {} at the largest rate, {:.4g}", success_.verb,
                               etas.back());
        const auto most = std::max_element(counts.begin(), counts.end());
        return fmt::format("fewer than half of the networks {} at any rate: at most {} of {}, at {:.4g}",
                           success_.verb, *most, networks,
                           etas[static_cast<std::size_t>(most - counts.begin())]);
    }

    Success success_;
};

bool ends_below(std::span<const double> losses, double bound) { return losses.back() < bound; }

bool stays_within(std::span<const double> losses, double bound) {
    return std::all_of(losses.begin(), losses.end(),
                       [bound](double loss) { return std::isfinite(loss) && loss <= bound; });
}

bool has_been_below(std::span<const double> losses, double bound) {
    return std::any_of(losses.begin(), losses.end(), [bound](double loss) { return loss < bound; });
}

// log loss_t of each network and rate. A loss below the last bit of f is that bit's.
Table<double> log_losses(const Runs& runs, std::size_t step) {
    constexpr double bit2 = std::numeric_limits<double>::epsilon() * std::numeric_limits<double>::epsilon();
    Table<double> table{runs.rates(), {}};
    for (std::size_t i = 0; i < runs.networks(); ++i)
        for (std::size_t k = 0; k < runs.rates(); ++k) {
            const auto losses = runs.losses(i, k);
            table.values.push_back(std::log(std::max(
                {infinite_if_nan(losses[step]), bit2 * losses[0], std::numeric_limits<double>::min()})));
        }
    return table;
}

std::optional<std::size_t> least_of(const std::vector<double>& values) {
    const auto least = std::min_element(values.begin(), values.end());
    if (!std::isfinite(*least)) return std::nullopt;
    return static_cast<std::size_t>(least - values.begin());
}

// The rate of the smallest mean log loss, by the parabola in log eta through its rate and the two beside it. Where the mean
// is infinite at one of these, as where a network diverges, nothing is known of it between them: the middle one's rate.
class Best final : public OfTraining {
public:
    std::string_view name() const override { return "best"; }
    std::string_view description() const override { return "training: least mean log loss_t"; }
    std::string statement(std::uint32_t step, double) const override {
        return fmt::format("the rate of the smallest mean over networks of log loss_{}", step);
    }

private:
    struct Dip {
        double log_rate = 0; // infinite where the smallest mean is at an end of the grid
        // Where it may be as well, if the mean is infinite beside it.
        double left = 0;
        double width = 0;
    };

    // By sums, or means, over networks. Nothing where none is finite.
    static std::optional<Dip> lowest(const std::vector<double>& sum, const std::vector<double>& log_rates) {
        const auto least = least_of(sum);
        if (!least) return std::nullopt;
        const auto k = *least;
        if (k == 0) return Dip{-infinity, 0, 0};
        if (k + 1 == sum.size()) return Dip{infinity, 0, 0};
        const double left = log_rates[k - 1] - log_rates[k];
        const double right = log_rates[k + 1] - log_rates[k];
        if (!std::isfinite(sum[k - 1]) || !std::isfinite(sum[k + 1]))
            return Dip{log_rates[k], log_rates[k] + left / 2, (right - left) / 2};
        const double before = (sum[k - 1] - sum[k]) / left; // <= 0
        const double behind = (sum[k + 1] - sum[k]) / right;
        const double curvature = (behind - before) / (right - left);
        const double shift = curvature > 0 ? (left + right) / 4 - (before + behind) / (4 * curvature) : 0;
        return Dip{log_rates[k] + std::clamp(shift, left, right), 0, 0};
    }

    // At the best rate losses are, in the geometric mean, what is left of them in the engine's precision.
    static bool rounds(const Cell& cell, const Runs& runs, const Table<double>& table) {
        constexpr double many = 300;
        const double bit =
            cell.table->plan.spec().precision == engine::Precision::single_ ? 0x1p-24 : 0x1p-53;
        double first = 0;
        for (std::size_t i = 0; i < runs.networks(); ++i) first += std::log(runs.losses(i, 0)[0]);
        const auto sum = sums(table);
        const double least = *std::min_element(sum.begin(), sum.end());
        return least - first < static_cast<double>(runs.networks()) * std::log(many * bit * bit);
    }

    void measure(const Cell& cell, const Runs& runs, const FitOptions& options, CellFit& fit) const override {
        const auto step = step_of(*cell.table, options);
        const auto table = log_losses(runs, step);
        const auto etas = rates(cell);
        const auto log_rates = logs(etas);
        const auto found = lowest(sums(table), log_rates);
        if (!found) {
            fit.note = fmt::format("a network diverges before step {} at every rate", step);
            return;
        }
        if (!std::isfinite(found->log_rate)) {
            fit.outside_grid = true;
            fit.note =
                etas.size() == 1 ? "a single rate brackets nothing"
                : found->log_rate < 0
                    ? fmt::format("the mean log loss is smallest at the smallest rate, {:.4g}", etas.front())
                    : fmt::format("the mean log loss is smallest at the largest rate, {:.4g}", etas.back());
            return;
        }
        fit.eta_star = std::exp(found->log_rate);
        if (rounds(cell, runs, table))
            fit.note = fmt::format("{}: losses are too small after step {}", rounding_note, step);
        if (runs.networks() < 2) return;
        take_resamples(fit,
                       resample(table, resampling(cell, options),
                                [&](const std::vector<double>& drawn, IndexGenerator& generator) {
                                    const auto dip = *lowest(drawn, log_rates);
                                    const double part = uniform(generator);
                                    return dip.width > 0 ? dip.left + part * dip.width : dip.log_rate;
                                }),
                       runs.networks());
    }
};

} // namespace

Runs::Runs(const Cell& cell)
    : cell_(cell), networks_(whole_networks(cell)), losses_(series(*cell.table, "loss")) {}

std::vector<double> Runs::initial_kernels() const { return kernels("kernel_initial", 0); }

std::vector<double> Runs::final_kernels(std::size_t rate) const { return kernels("kernel_final", rate); }

std::vector<double> Runs::kernels(std::string_view name, std::size_t rate) const {
    const auto kernel = column(*cell_.table, name);
    std::vector<double> values;
    for (const auto i : networks_) values.push_back(infinite_if_nan(kernel[cell_.row(i, rate)]));
    return values;
}

std::vector<double> relative_losses(const Runs& runs, std::size_t rate, std::size_t step) {
    std::vector<double> values;
    for (std::size_t i = 0; i < runs.networks(); ++i) {
        const auto losses = runs.losses(i, rate);
        values.push_back(infinite_if_nan(losses[step] / losses[0]));
    }
    return values;
}

std::optional<std::size_t> best_rate(const Runs& runs, std::size_t step) {
    return least_of(sums(log_losses(runs, step)));
}

Median median_of(std::vector<double> values) {
    Median result;
    if (values.empty()) return result;
    std::sort(values.begin(), values.end());
    result.value = median(values);
    const auto ranks = median_ranks(values.size());
    if (ranks.exist) result.ci95 = {values[ranks.low], values[ranks.high]};
    return result;
}

std::uint32_t step_of(const TrialTable& table, const FitOptions& options) {
    const auto last = static_cast<std::uint32_t>(series(table, "loss").columns() - 1);
    const auto step = options.step.value_or(last);
    if (step < 1 || step > last)
        throw UsageError(fmt::format("step: {} is not one of the {} steps of this sweep", step, last));
    return step;
}

std::optional<double> fraction_of(const Estimator& criterion, const FitOptions& options) {
    if (options.fraction && criterion.accepts_fraction(*options.fraction)) return options.fraction;
    return criterion.standard_fraction();
}

const Estimator& converges_estimator() {
    static const Half entry({"converges", "training: loss_t < Q loss_0", 0.01, true, "converge",
                             "have loss_{t} < {Q:g} loss_0", ends_below});
    return entry;
}

const Estimator& best_estimator() {
    static const Best entry;
    return entry;
}

const Estimator& stable_estimator() {
    static const Half entry({"stable", "training: no loss above Q loss_0", 4, false, "are stable",
                             "keep every loss up to step {t} at most {Q:g} loss_0", stays_within});
    return entry;
}

// The maximal initial learning rate of arXiv 2212.07295.
const Estimator& reaches_estimator() {
    static const Half entry({"reaches", "training: some loss < Q loss_0", 0.01, true, "reach it",
                             "have some loss up to step {t} below {Q:g} loss_0", has_been_below});
    return entry;
}

} // namespace etastar::analysis

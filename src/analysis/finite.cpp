#include "etastar/names.hpp"

#include "../floating.hpp"
#include "estimators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

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

// Networks x rates, of networks of which every row has run.
Samples changes(const Cell& cell, theory::Layer layer) {
    const Change change(*cell.table, layer);
    Samples samples;
    samples.columns = cell.rates;
    for (std::uint64_t i = 0; i < cell.networks; ++i) {
        bool whole = true;
        for (std::size_t k = 0; k < cell.rates; ++k) whole = whole && cell.measured(cell.row(i, k));
        if (!whole) continue;
        for (std::size_t k = 0; k < cell.rates; ++k) samples.values.push_back(change[cell.row(i, k)]);
    }
    return samples;
}

std::vector<double> rates(const Cell& cell) {
    const auto eta = column(*cell.table, "eta");
    std::vector<double> values;
    for (std::size_t k = 0; k < cell.rates; ++k) values.push_back(eta[cell.row(0, k)]);
    return values;
}

// The step itself: eta* is where the mean of dz^2 over networks crosses the threshold, interpolated in log-log between
// the rates.
class Finite final : public Estimator {
public:
    std::string_view name() const override { return "finite"; }
    std::string_view description() const override { return "the step itself"; }

    std::vector<std::string> columns(theory::Layer layer) const override {
        if (layer == theory::Layer::output) return {"eta", "output", "output_after"};
        return {"eta", Change::dz2_column(layer)};
    }

    CellFit estimate(const Cell& cell, const FitOptions& options, double threshold) const override {
        CellFit fit;
        const auto samples = changes(cell, options.layer);
        fit.networks = samples.count();
        if (fit.networks == 0) {
            fit.note = absence(cell);
            return fit;
        }
        auto log_rates = rates(cell);
        for (double& rate : log_rates) rate = std::log(rate);
        const auto crossing =
            [&, log_means = std::vector<double>(cell.rates)](std::span<const double> means) mutable {
                std::transform(means.begin(), means.end(), log_means.begin(),
                               [](double mean) { return std::log(mean); });
                return first_crossing(log_rates, log_means, std::log(threshold));
            };
        const auto estimate =
            bootstrap(samples, crossing, options.resamples, options.seed, cell.width, cell.depth);
        if (!std::isfinite(estimate.value)) {
            fit.outside_grid = true;
            fit.note = std::isnan(estimate.value)
                           ? "the step leaves the range of floating point next to the threshold"
                       : estimate.value < 0
                           ? fmt::format("already above the threshold at the smallest rate, {:.4g}",
                                         std::exp(log_rates.front()))
                           : fmt::format("still below the threshold at the largest rate, {:.4g}",
                                         std::exp(log_rates.back()));
            return fit;
        }
        fit.eta_star = std::exp(estimate.value);
        fit.ci95 = exponential(estimate.ci95);
        fit.relative_error = estimate.standard_error;
        if (std::isinf(estimate.ci95.low) || std::isinf(estimate.ci95.high))
            fit.note = "the interval reaches beyond the grid of rates";
        return fit;
    }

    std::optional<CellCurve> curve(const Cell& cell, const FitOptions& options) const override {
        const auto samples = changes(cell, options.layer);
        if (samples.count() == 0) return std::nullopt;
        CellCurve curve;
        curve.networks = samples.count();
        curve.eta = rates(cell);
        // Of logarithms, because a step past the threshold may be of any order of magnitude.
        std::vector<Statistic> log_means;
        for (std::size_t k = 0; k < cell.rates; ++k)
            log_means.emplace_back([k](std::span<const double> means) { return std::log(means[k]); });
        for (const auto& estimate :
             bootstrap(samples, log_means, options.resamples, options.seed, cell.width, cell.depth))
            curve.ci95.push_back(exponential(estimate.ci95));
        curve.mean = column_means(samples);
        const auto responses = weighted_responses(cell, options.layer);
        if (responses.count() == 0) return curve;
        const double response = column_means(responses).front();
        for (const double eta : curve.eta) curve.linear.push_back(eta * eta * response);
        return curve;
    }
};

} // namespace

const Estimator& finite_estimator() {
    static const Finite entry;
    return entry;
}

} // namespace etastar::analysis

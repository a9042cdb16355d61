#include "estimators.hpp"

#include "etastar/error.hpp"
#include "etastar/names.hpp"

#include "../floating.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace etastar::analysis {

std::span<const Estimator* const> estimators() {
    static const std::array list{&linear_estimator(), &finite_estimator(), &converges_estimator(),
                                 &best_estimator(),   &stable_estimator(), &reaches_estimator()};
    return list;
}

const Estimator& estimator(std::string_view name) {
    std::string choices;
    for (const auto* entry : estimators()) {
        if (entry->name() == name) return *entry;
        choices += (choices.empty() ? "" : ", ") + std::string(entry->name());
    }
    throw UsageError("criterion: '" + std::string(name) + "' is not one of " + choices);
}

std::optional<double> Estimator::exact(const TrialTable&, std::uint32_t, std::uint32_t, theory::Layer,
                                       double) const {
    return std::nullopt;
}

std::optional<double> Estimator::infinite(const TrialTable&, std::uint32_t, std::uint32_t, theory::Layer,
                                          double) const {
    return std::nullopt;
}

std::optional<Asymptote> Estimator::asymptote(const TrialTable&, theory::Layer, double) const {
    return std::nullopt;
}

std::optional<CellCurve> Estimator::curve(const Cell&, const FitOptions&) const { return std::nullopt; }

Interval exponential(const Interval& logs) {
    // Open where a rate cannot be that far.
    const auto end = [](double x) { return std::isnormal(std::exp(x)) ? std::exp(x) : std::nan(""); };
    return {end(logs.low), end(logs.high)};
}

std::vector<std::uint64_t> whole_networks(const Cell& cell) {
    std::vector<std::uint64_t> networks;
    for (std::uint64_t i = 0; i < cell.networks; ++i) {
        bool whole = true;
        for (std::size_t k = 0; k < cell.rates; ++k) whole = whole && cell.measured(cell.row(i, k));
        if (whole) networks.push_back(i);
    }
    return networks;
}

std::vector<double> rates(const Cell& cell) {
    const auto eta = column(*cell.table, "eta");
    std::vector<double> values;
    for (std::size_t k = 0; k < cell.rates; ++k) values.push_back(eta[cell.row(0, k)]);
    return values;
}

std::vector<double> logs(std::vector<double> values) {
    for (double& value : values) value = std::log(value);
    return values;
}

std::string absence(const Cell& cell) {
    for (std::uint64_t i = 0; i < cell.networks; ++i)
        for (std::size_t k = 0; k < cell.rates; ++k)
            if (cell.failed(cell.row(i, k))) return "its networks failed";
    return "no network has run";
}

std::string response_column(theory::Layer layer) { return "response_" + std::string(name_of(layer)); }

namespace {

// The first row of each network that has run; a network's rows agree in all that the linear order needs.
std::vector<std::uint64_t> first_rows(const Cell& cell) {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t i = 0; i < cell.networks; ++i)
        for (std::size_t k = 0; k < cell.rates; ++k)
            if (const auto row = cell.row(i, k); cell.measured(row)) {
                rows.push_back(row);
                break;
            }
    return rows;
}

} // namespace

std::vector<double> responses(const Cell& cell, theory::Layer layer) {
    for (const auto& name : linear_estimator().columns(layer))
        if (!has_column(*cell.table, name)) return {};
    const auto response = column(*cell.table, response_column(layer));
    std::vector<double> values;
    for (const auto row : first_rows(cell)) values.push_back(infinite_if_nan(response[row]));
    return values;
}

std::string size_column(theory::Layer layer) { return "z2_" + std::string(name_of(layer)); }

std::vector<double> sizes(const Cell& cell, theory::Layer layer, const std::vector<std::uint64_t>& rows) {
    if (layer == theory::Layer::output || !has_column(*cell.table, size_column(layer))) return {};
    const auto size = column(*cell.table, size_column(layer));
    std::vector<double> values;
    values.reserve(rows.size());
    for (const auto row : rows) values.push_back(infinite_if_nan(size[row]));
    return values;
}

std::vector<double> sizes(const Cell& cell, theory::Layer layer) {
    return sizes(cell, layer, first_rows(cell));
}

std::optional<double> mean_size(const std::vector<double>& sizes) {
    if (sizes.empty()) return std::nullopt;
    const double mean = column_means({1, sizes}).front();
    return mean > 0 && std::isfinite(mean) ? std::optional(mean) : std::nullopt;
}

void note_no_size(CellFit& fit) { fit.note = "the mean z^2 is zero or beyond the range of floating point"; }

std::optional<double> share_of_f2(const Cell& cell, theory::Layer layer) {
    const auto optimizer = cell.table->plan.spec().model.optimizer;
    if (!model::visit(optimizer, [](auto each) { return each.proportional; })) return std::nullopt;
    const auto response = column(*cell.table, response_column(layer));
    const auto output = column(*cell.table, "output");
    double all = 0;
    double weighted = 0;
    for (const auto row : first_rows(cell)) {
        all += response[row];
        weighted += output[row] * output[row] * response[row];
    }
    const double share = weighted / all;
    return std::isfinite(share) ? std::optional(share) : std::nullopt;
}

Resampling resampling(const Cell& cell, const FitOptions& options) {
    return {options.resamples, options.seed, cell.width, cell.depth};
}

void take(CellFit& fit, const std::optional<Measurement>& log_rate, Interval logs, IntervalMethod method) {
    constexpr double gaussian = 1.959964; // half of a 95 % interval in standard errors
    fit.interval = method;
    if (method == IntervalMethod::none) {
        fit.relative_error = std::nan("");
        return;
    }
    fit.log_rate = log_rate;
    fit.relative_error = log_rate ? log_rate->standard_error : (logs.high - logs.low) / (2 * gaussian);
    fit.ci95 = exponential(logs);
    // std::min and std::max keep an open end, a NaN in the first place.
    fit.ci95.low = std::min(fit.ci95.low, *fit.eta_star);
    fit.ci95.high = std::max(fit.ci95.high, *fit.eta_star);
    if (std::isfinite(fit.ci95.low) && std::isfinite(fit.ci95.high)) return;
    // An open end bounds nothing: no regression may take the estimate as if it had an error bar.
    fit.log_rate.reset();
    fit.relative_error = std::nan("");
}

} // namespace etastar::analysis

#include "etastar/names.hpp"

#include "../floating.hpp"
#include "estimators.hpp"
#include "exact.hpp"

#include <cmath>
#include <limits>

namespace etastar::analysis {
namespace {

std::string response_column(theory::Layer layer) { return "response_" + std::string(name_of(layer)); }

// The first row of each network that has run; a network's rows agree in all that the linear order needs.
template <class F>
void for_each_network(const Cell& cell, F&& use) {
    for (std::uint64_t i = 0; i < cell.networks; ++i)
        for (std::size_t k = 0; k < cell.rates; ++k)
            if (const auto row = cell.row(i, k); cell.measured(row)) {
                use(row);
                break;
            }
}

// First order in eta: eta* = (c / mean (1 + f^2) G)^(1/2); z compares the mean of G itself with its exact expectation.
class Linear final : public Estimator {
public:
    std::string_view name() const override { return "linear"; }
    std::string_view description() const override { return "first order in eta"; }

    std::vector<std::string> columns(theory::Layer layer) const override {
        return {"output", response_column(layer)};
    }

    std::optional<double> exact(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                theory::Layer layer, double threshold) const override {
        const double rate = theory::critical_rate(exact_response(table, width, depth, layer), threshold);
        return std::isfinite(rate) && rate > 0 ? std::optional(rate) : std::nullopt;
    }

    std::optional<Asymptote> asymptote(const TrialTable& table, theory::Layer layer,
                                       double threshold) const override {
        return linear_asymptote(table, layer, threshold);
    }

    CellFit estimate(const Cell& cell, const FitOptions& options, double threshold) const override {
        CellFit fit;
        const auto samples = weighted_responses(cell, options.layer);
        fit.networks = samples.count();
        if (fit.networks == 0) {
            fit.note = absence(cell);
            return fit;
        }
        const auto log_rate = [threshold](std::span<const double> means) {
            return means[0] > 0 ? 0.5 * std::log(threshold / means[0])
                                : std::numeric_limits<double>::infinity();
        };
        const auto estimate =
            bootstrap(samples, log_rate, options.resamples, options.seed, cell.width, cell.depth);
        if (!std::isfinite(estimate.value)) {
            fit.note = estimate.value > 0 ? "the response is zero: no rate reaches the threshold"
                                          : "the response left the range of floating point";
            return fit;
        }
        fit.eta_star = std::exp(estimate.value);
        fit.ci95 = exponential(estimate.ci95);
        fit.relative_error = estimate.standard_error;
        compare(cell, options.layer, fit);
        return fit;
    }

private:
    // Of the mean of G with its exact expectation.
    static void compare(const Cell& cell, theory::Layer layer, CellFit& fit) {
        const double expectation = exact_response(*cell.table, cell.width, cell.depth, layer);
        if (!std::isfinite(expectation) || !(expectation > 0) || fit.networks < 2) return;
        const auto response = column(*cell.table, response_column(layer));
        double sum = 0;
        double squares = 0;
        for_each_network(cell, [&](std::uint64_t row) {
            const double value = infinite_if_nan(response[row]);
            sum += value;
            squares += value * value;
        });
        const auto n = static_cast<double>(fit.networks);
        const double mean = sum / n;
        const double error = std::sqrt((squares / n - mean * mean) / (n - 1));
        if (!(error > 0)) return;
        fit.z = (mean - expectation) / error;
        fit.log_ratio = Measurement{0.5 * std::log(expectation / mean), 0.5 * error / mean, n - 1};
    }
};

} // namespace

Samples weighted_responses(const Cell& cell, theory::Layer layer) {
    for (const auto& name : linear_estimator().columns(layer))
        if (!has_column(*cell.table, name)) return {};
    const auto response = column(*cell.table, response_column(layer));
    const auto output = column(*cell.table, "output");
    Samples samples;
    for_each_network(cell, [&](std::uint64_t row) {
        const double f = output[row];
        samples.values.push_back(infinite_if_nan((1 + f * f) * infinite_if_nan(response[row])));
    });
    return samples;
}

const Estimator& linear_estimator() {
    static const Linear entry;
    return entry;
}

} // namespace etastar::analysis

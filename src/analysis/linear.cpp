#include "etastar/names.hpp"

#include "../floating.hpp"
#include "estimators.hpp"
#include "exact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace etastar::analysis {
namespace {

// First order in eta, of a unit error: eta* = (c / mean G)^(1/2); where the threshold is relative c mean z^2 instead of c.
class Linear final : public Estimator {
public:
    std::string_view name() const override { return "linear"; }
    std::string_view description() const override { return "first order in eta"; }
    bool scales() const override { return true; }

    std::vector<std::string> columns(theory::Layer layer) const override {
        return {"output", response_column(layer)};
    }

    std::optional<double> exact(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                theory::Layer layer, double threshold) const override {
        return theory::linear_rate(exact_response(table, width, depth, layer), threshold);
    }

    std::optional<Asymptote> asymptote(const TrialTable& table, theory::Layer layer,
                                       double threshold) const override {
        return linear_asymptote(table, layer, threshold);
    }

    std::optional<double> infinite(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                   theory::Layer layer, double threshold) const override {
        return infinite_rate(table, width, depth, layer, threshold, theory::Criterion::linear);
    }

    CellFit estimate(const Cell& cell, const FitOptions& options, double threshold) const override {
        CellFit fit;
        const auto draws = responses(cell, options.layer);
        fit.networks = draws.size();
        if (draws.empty()) {
            fit.note = absence(cell);
            return fit;
        }
        fit.f2_share = share_of_f2(cell, options.layer);
        const auto size = sizes(cell, options.layer);
        fit.z2 = mean_size(size);
        if (options.relative && !fit.z2)
            note_no_size(fit);
        else if (options.statistic == Average::median)
            of_median(options.relative ? over(draws, size) : draws, threshold, fit);
        else
            of_mean(cell, options, draws, size, threshold, fit);
        return fit;
    }

private:
    // Whether there is an eta* at all.
    static bool has_rate(double response, const char* average, CellFit& fit) {
        if (response > 0 && std::isfinite(response)) return true;
        fit.note = fmt::format("the {} response is {}", average,
                               response > 0 ? "beyond the range of floating point"
                                            : "zero: no rate reaches the threshold");
        return false;
    }

    // Of each network.
    static std::vector<double> over(const std::vector<double>& draws, const std::vector<double>& size) {
        std::vector<double> ratios;
        for (std::size_t i = 0; i < draws.size(); ++i) ratios.push_back(infinite_if_nan(draws[i] / size[i]));
        return ratios;
    }

    static void of_mean(const Cell& cell, const FitOptions& options, const std::vector<double>& draws,
                        const std::vector<double>& size, double threshold, CellFit& fit) {
        const auto response = options.relative ? log_ratio(draws, size, resampling(cell, options))
                                               : log_mean(draws, resampling(cell, options));
        if (!has_rate(std::exp(response.sample), "mean", fit)) return;
        const double log_threshold = std::log(threshold);
        fit.eta_star = std::exp((log_threshold - response.sample) / 2);
        take(fit,
             Measurement{(log_threshold - response.value) / 2, response.standard_error / 2, response.degrees},
             {(log_threshold - response.ci95.high) / 2, (log_threshold - response.ci95.low) / 2},
             response.method);
        compare(cell, options, draws, size, threshold, fit);
    }

    // Between two order statistics of the response.
    static void of_median(const std::vector<double>& draws, double threshold, CellFit& fit) {
        auto sorted = draws;
        std::sort(sorted.begin(), sorted.end());
        const auto rate = [&](double response) { return theory::critical_rate(response, threshold); };
        const double middle = median(draws);
        if (!has_rate(middle, "median", fit)) return;
        fit.eta_star = rate(middle);
        const auto ranks = median_ranks(draws.size());
        if (!ranks.exist) return;
        take(fit, std::nullopt, {std::log(rate(sorted[ranks.high])), std::log(rate(sorted[ranks.low]))},
             IntervalMethod::order_statistics);
    }

    // With theory: z of the mean of G itself, relative of its share in G that z^2 leaves, and the ratio that regressions take.
    static void compare(const Cell& cell, const FitOptions& options, const std::vector<double>& draws,
                        const std::vector<double>& size, double threshold, CellFit& fit) {
        const double response = exact_response(*cell.table, cell.width, cell.depth, options.layer);
        const auto bound = analysis::bound(*cell.table, theory::Regime::finite_width, cell.width, cell.depth,
                                           options.layer, threshold, options.relative);
        if (!std::isfinite(response) || !(response > 0) || !bound || draws.size() < 2) return;
        if (fit.interval != IntervalMethod::none && !fit.log_rate) return; // an open interval
        // Of mean `expected`; relative of mean 0.
        auto scored = draws;
        double expected = response;
        if (options.relative) {
            for (std::size_t i = 0; i < draws.size(); ++i)
                scored[i] = draws[i] / response - size[i] * threshold / *bound;
            expected = 0;
        }
        const auto n = static_cast<double>(scored.size());
        double mean = 0;
        for (const double draw : scored) mean += draw / n;
        double squares = 0;
        for (const double draw : scored) squares += std::pow(draw - mean, 2);
        const double error = std::sqrt(squares / n / (n - 1));
        if (!(error > 0)) return;
        fit.z = (mean - expected) / error;
        if (!fit.log_rate) return;
        fit.log_ratio = *fit.log_rate;
        fit.log_ratio->value -= std::log(theory::critical_rate(response, *bound));
    }
};

} // namespace

const Estimator& linear_estimator() {
    static const Linear entry;
    return entry;
}

} // namespace etastar::analysis

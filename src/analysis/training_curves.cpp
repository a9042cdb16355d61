#include "estimators.hpp"
#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace etastar::analysis {
namespace {

// Of the best rate; histories are of the rates nearest to these multiples.
constexpr double shown_multiples[] = {1.0 / 16, 1.0 / 4, 1, 2, 4};
constexpr std::size_t most_steps = 100;

// All steps where they are few, else every one at first and then in equal ratios.
std::vector<std::uint32_t> shown_steps(std::uint32_t last) {
    std::set<std::uint32_t> steps;
    if (last < most_steps)
        for (std::uint32_t t = 0; t <= last; ++t) steps.insert(t);
    else
        for (std::size_t i = 0; i < most_steps; ++i)
            steps.insert(static_cast<std::uint32_t>(std::lround(
                std::pow(last + 1.0, static_cast<double>(i) / (static_cast<double>(most_steps) - 1)) - 1)));
    return {steps.begin(), steps.end()};
}

std::vector<std::size_t> shown_rates(const std::vector<double>& etas, std::size_t best) {
    std::set<std::size_t> shown;
    for (const double multiple : shown_multiples) {
        const double log_rate = std::log(multiple * etas[best]);
        const auto nearest = std::min_element(etas.begin(), etas.end(), [&](double a, double b) {
            return std::abs(std::log(a) - log_rate) < std::abs(std::log(b) - log_rate);
        });
        shown.insert(static_cast<std::size_t>(nearest - etas.begin()));
    }
    return {shown.begin(), shown.end()};
}

} // namespace

TrainingCurves training_curves(const TrialTable& table, const std::vector<Cell>& cells,
                               const FitOptions& options) {
    TrainingCurves result;
    result.step = step_of(table, options);
    const auto steps = shown_steps(static_cast<std::uint32_t>(series(table, "loss").columns() - 1));
    for (const auto& cell : cells) {
        const Runs runs(cell);
        if (runs.networks() == 0) continue;
        TrainingCell shown{cell.width, cell.depth, runs.networks(), rates(cell), {}, {}, {}, {}};
        for (std::size_t k = 0; k < cell.rates; ++k) {
            shown.loss.push_back(median_of(relative_losses(runs, k, result.step)));
            shown.kernel.push_back(median_of(runs.final_kernels(k)));
        }
        shown.kernel_initial = median_of(runs.initial_kernels());
        const auto lowest =
            std::min_element(shown.loss.begin(), shown.loss.end(),
                             [](const Median& a, const Median& b) { return a.value < b.value; });
        const auto best =
            best_rate(runs, result.step).value_or(static_cast<std::size_t>(lowest - shown.loss.begin()));
        for (const auto k : shown_rates(shown.eta, best)) {
            LossHistory history{shown.eta[k], steps, {}};
            for (const auto t : steps) history.loss.push_back(median_of(relative_losses(runs, k, t)));
            shown.histories.push_back(std::move(history));
        }
        result.cells.push_back(std::move(shown));
    }
    return result;
}

} // namespace etastar::analysis

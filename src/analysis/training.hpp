#pragma once

#include "etastar/analysis/estimator.hpp"
#include "etastar/analysis/fit.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace etastar::analysis {

// What the criteria of training look at: the losses, at steps 0 .. T, of a cell's networks of which every rate has run.
class Runs {
public:
    explicit Runs(const Cell& cell);

    std::size_t networks() const { return networks_.size(); }
    std::size_t rates() const { return cell_.rates; }

    // NaN from where the run has stopped on, maybe infinite at its last step.
    std::span<const double> losses(std::size_t network, std::size_t rate) const {
        return losses_[cell_.row(networks_[network], rate)];
    }

    // The kernel's largest eigenvalue before the first step, and at T: infinite where the run has diverged.
    std::vector<double> initial_kernels() const;
    std::vector<double> final_kernels(std::size_t rate) const;

private:
    std::vector<double> kernels(std::string_view name, std::size_t rate) const;

    Cell cell_;
    std::vector<std::uint64_t> networks_;
    Series losses_;
};

// How the note of a cell begins whose best rate is one of rounding errors.
inline constexpr std::string_view rounding_note = "rounding decides";

// loss_t over loss_0 of each network; infinite where the run has diverged by then.
std::vector<double> relative_losses(const Runs& runs, std::size_t rate, std::size_t step);

// The rate of the smallest mean of log loss_t; nothing where a network diverges at every rate.
std::optional<std::size_t> best_rate(const Runs& runs, std::size_t step);

Median median_of(std::vector<double> values);

// After which step the criteria look; T where the options do not say. Throws UsageError where there is no such step.
std::uint32_t step_of(const TrialTable& table, const FitOptions& options);

// Q of a criterion that has one, else nothing.
std::optional<double> fraction_of(const Estimator& criterion, const FitOptions& options);

// Of a cell in regressions, up to a factor and whatever the sample: the variance among networks goes like L/n.
inline double training_weight(std::uint32_t width, std::uint32_t depth) {
    return static_cast<double>(width) / depth;
}

// Medians of what training did, after step_of(options).
TrainingCurves training_curves(const TrialTable& table, const std::vector<Cell>& cells,
                               const FitOptions& options);

} // namespace etastar::analysis

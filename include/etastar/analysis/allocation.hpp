#pragma once

#include "etastar/analysis/estimator.hpp"
#include "etastar/analysis/table.hpp"
#include "etastar/plan/plan.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace etastar::analysis {

// Throws UsageError where the target's criterion is none, or none of the spec's kind of trial.
void check_target(const sweep::Spec& spec);

// How rounds grow. The first has so many networks of every cell; each further one takes what is still missing, but at least
// and at most these parts of the work before it.
struct RoundRules {
    std::uint64_t first = 32;
    double least = 0.05;
    double most = 0.5;
};

enum class Verdict {
    go_on,
    reached,     // the interval is as short as asked for
    seeds_ended, // every network that could make it shorter has run
    grid_limits, // of training: what the grid of rates leaves open is longer than asked for
    no_exponent, // too few cells have a rate, and more networks would not change that
};

// What follows from the rows of all rounds up to one.
struct Decision {
    Verdict verdict = Verdict::go_on;
    std::optional<double> half_width;    // of the depth exponent's 95 % interval, as `fit` reports it
    std::vector<std::uint64_t> networks; // of each cell after the next round; as before where there is none
    // Going on, what the target is expected to take in all, where --seeds allow it: networks of each cell.
    std::optional<std::vector<std::uint64_t>> expected;
    // Where --seeds do not: the --seeds that would, about.
    std::optional<std::uint64_t> seeds_needed;
};

// A former round whose exponent had an interval.
struct Round {
    std::vector<std::uint64_t> networks; // of each cell, in all rounds up to it
    double half_width = 0;
};

// The networks of a sweep with a target, round by round: of each cell the first of its seeds, as many as shorten the interval
// of the depth exponent most for their work. A function of the spec and of the rows of earlier rounds alone; docs/science.md,
// section 13.
class Allocation {
public:
    // Of a plan whose spec check_target accepts.
    explicit Allocation(const plan::Plan& plan, RoundRules rules = {});

    std::vector<std::uint64_t> first_round() const;

    // As `fit` has it.
    CellFit estimate(const Cell& cell) const;

    // Of every cell of the plan, in its order: its estimate from the rows of all rounds so far, and how many networks these
    // asked for. Of training also the rounds before this one: their half-widths tell what no networks shorten.
    Decision next(std::span<const CellFit> fits, std::span<const std::uint64_t> networks,
                  std::span<const Round> former = {}) const;

private:
    bool limited_by_grid(double half_width, std::span<const double> variances,
                         std::span<const std::uint64_t> networks, std::span<const Round> former) const;

    sweep::Spec spec_;
    RoundRules rules_;
    FitOptions options_;
    std::vector<double> weights_; // of cells in the regression
    std::vector<double> costs_;   // seconds of a network of each cell
};

// Of all cells.
std::uint64_t total(std::span<const std::uint64_t> networks);

// What a sweep with a target will take, by the variances that theory knows.
struct Forecast {
    Verdict verdict = Verdict::reached;
    std::optional<double> half_width;
    std::vector<std::uint64_t> networks; // of each cell
    std::uint64_t rounds = 0;
    std::optional<std::uint64_t> seeds_needed;
};

// Nothing where these are not known (prediction.hpp), or of another criterion than linear.
std::optional<Forecast> forecast(const plan::Plan& plan);

} // namespace etastar::analysis

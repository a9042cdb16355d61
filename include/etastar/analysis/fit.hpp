#pragma once

#include "etastar/analysis/distribution.hpp"
#include "etastar/analysis/estimator.hpp"
#include "etastar/analysis/statistics.hpp"
#include "etastar/analysis/table.hpp"
#include "etastar/theory/moments.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etastar::analysis {

// Slope of log eta* in log L between neighbouring depths of one width.
struct LocalSlope {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint32_t next_depth = 0;
    LinearEstimate slope;
    std::optional<double> exact;
};

// eta* = constant * n^width * L^depth, by least squares with weights that depend on no sample.
struct PowerLaw {
    std::optional<LinearEstimate>
        constant; // value and interval of the constant itself, error of its logarithm
    std::optional<LinearEstimate> width;
    std::optional<LinearEstimate> depth;
    std::size_t cells = 0; // that have a value with an error bar
    std::size_t terms = 0; // constant and exponents that these cells' widths and depths ask for
    double chi_squared = 0;
    std::size_t degrees = 0;
    double p_value = 1;
};

// The exact eta* along one axis at a fixed value of the other, from the smallest to the largest value that ran.
struct ExactCurve {
    std::uint32_t at = 0;         // the fixed width or depth
    std::vector<std::uint32_t> x; // depths or widths, ascending
    std::vector<double> eta_star; // NaN where there is none
};

// eta* at infinite width, from the smallest to the largest depth that ran.
struct InfiniteCurve {
    std::optional<std::uint32_t> width; // none where it is the same at all widths
    std::vector<std::uint32_t> depth;
    std::vector<double> eta_star; // NaN where there is none
};

// How far from one another the log eta* / L^exponent of cells are that would be one where the rate transferred: their
// standard deviation over widths (exponent 0) or depths.
struct Spread {
    bool over_widths = true;
    std::optional<std::uint32_t>
        at; // the depth, or width, of these cells; none: of all, each with those of its own
    std::vector<std::uint32_t> among; // widths, or depths
    double exponent = 0;
    bool fitted = false; // the exponent is that of PowerLaw::depth
    double observed = 0; // of the estimates
    double noise = 0;    // what their errors alone give, root of the mean square
    double value = 0;    // (observed^2 - noise^2)^(1/2), 0 where that is not positive
    Interval ci95;       // of the true one, by inversion of a bootstrap test
    double p_value = 1;  // of `observed` if there were none
};

struct CriterionFit {
    const Estimator* criterion = nullptr;
    double threshold = 1;   // of a first step
    std::uint32_t step = 0; // of training
    std::optional<double> fraction;
    theory::Layer layer = theory::Layer::last;
    Average statistic = Average::mean;
    bool relative = false;
    std::string weights; // of the regression, as text
    std::vector<CellFit> cells;
    PowerLaw law;
    std::optional<PowerLaw> exact; // the same regression, with the same weights, on the exact values
    std::optional<PowerLaw> ratio; // and on log_ratio: 1 n^0 L^0 where theory holds
    std::vector<LocalSlope> slopes;
    std::vector<Spread> misalignment;       // of training
    std::vector<ExactCurve> exact_in_depth; // one per width; with FitOptions::curves, as all that follows
    std::vector<ExactCurve> exact_in_width; // one per depth
    std::vector<InfiniteCurve> infinite;
    std::optional<Asymptote> asymptote;
    std::vector<std::uint32_t> asymptote_depth; // ends of its line: smallest and largest depth that ran
    std::vector<double> asymptote_rate;         // eta* there
};

// What one criterion looks at, whatever the threshold.
struct CriterionCurves {
    const Estimator* criterion = nullptr;
    theory::Layer layer = theory::Layer::last;
    bool relative = false;
    std::vector<CellCurve> cells; // those in which a network has run
};

// A median over networks of loss_t / loss_0, against the step, at one rate.
struct LossHistory {
    double eta = 0;
    std::vector<std::uint32_t> steps; // ascending from 0
    std::vector<Median> loss;
};

// What training did at one (width, depth): medians over the networks of which every rate has run.
struct TrainingCell {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0;
    std::vector<double> eta;
    std::vector<Median>
        loss; // loss_t / loss_0, at each rate; infinite where half of the networks have diverged
    std::vector<Median> kernel; // at T, at each rate
    Median kernel_initial;
    std::vector<LossHistory> histories; // of a few rates about the best
};

struct TrainingCurves {
    std::uint32_t step = 0;          // t
    std::vector<TrainingCell> cells; // those in which a network has run
};

struct FitReport {
    std::string spec;  // one line of JSON
    std::string model; // in words
    // What finite width takes from eta*, which a z against infinite width needs.
    bool width_effect_is_known = false;
    std::size_t resamples = 0;
    std::uint64_t seed = 0;
    RowCounts rows;
    std::vector<CriterionFit> fits; // a criterion after the other, thresholds in their order
    std::vector<CriterionCurves> curves;
    std::optional<TrainingCurves> training;  // with FitOptions::curves
    std::vector<Distribution> distributions; // of a first step; with FitOptions::curves
    std::vector<std::string> warnings;
};

// Throws UsageError for options that contradict one another: thresholds relative to the size of the output, or options of a
// first step with criteria of training and the other way round.
void check(const FitOptions& options);

// The cells that the options' ranges select. Throws UsageError where a range selects nothing.
std::vector<Cell> selected_cells(const TrialTable& table, const FitOptions& options);

// Throws UsageError where a criterion needs a column that the rows do not have, or a range selects nothing, or
// check does.
FitReport fit(const TrialTable& table, const FitOptions& options);

} // namespace etastar::analysis

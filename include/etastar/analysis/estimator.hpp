#pragma once

#include "etastar/analysis/intervals.hpp"
#include "etastar/analysis/statistics.hpp"
#include "etastar/analysis/table.hpp"
#include "etastar/names.hpp"
#include "etastar/theory/moments.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::analysis {

class Estimator;

// What of the networks must not exceed the threshold.
enum class Average { mean, median };

// Widths or depths from `first` to `last`; a single one where these agree.
struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

struct FitOptions {
    std::vector<const Estimator*> criteria; // none: every one whose columns the rows have
    // Of the criteria of a first step. None: 1.
    std::vector<double> thresholds;
    // Of those of training: after this step, none: the last one; and the fraction Q of the first loss, where it is one that
    // the criterion accepts, else and with none the criterion's own.
    std::optional<std::uint32_t> step;
    std::optional<double> fraction;
    theory::Layer layer = theory::Layer::last;
    Average statistic = Average::mean;
    // Thresholds are multiples of E z^2 of the same layers, its mean over the cell's networks.
    bool relative = false;
    std::vector<Range> widths; // none: all
    std::vector<Range> depths;
    std::size_t resamples = 2000;
    std::uint64_t seed = 0;
    bool curves = false; // also what figures need
};

// A median over networks, with the interval between order statistics. Infinite where half of them are.
struct Median {
    double value = std::numeric_limits<double>::quiet_NaN();
    Interval ci95;
};

// The tangent kernel's largest eigenvalue at eta*: before the first step, and after the last one at the largest rate up to
// eta*. Infinite for a network that has diverged.
struct KernelFit {
    double eta = 0; // that rate
    Median initial;
    Median final;
};

// eta* of one (width, depth). Absent values do not exist: `note` says why.
struct CellFit {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0; // behind the estimate
    std::optional<double> eta_star;
    Interval ci95;
    bool outside_grid = false; // no value because the rates do not bracket the threshold
    IntervalMethod interval = IntervalMethod::none;
    double relative_error = std::numeric_limits<double>::quiet_NaN(); // standard error of log eta*
    // log eta* by the estimate that the interval belongs to, where that is another than eta_star; regressions take it.
    std::optional<Measurement> log_rate;
    std::optional<double> f2_share; // mean f^2 G / mean G: what a unit error leaves out
    std::optional<double> z2;       // mean of z^2 before the step, of the layers that the criterion looks at
    std::optional<double> variance_ratio; // without control variates over with them
    std::optional<double> exact;
    std::optional<double> infinite; // eta* at infinite width
    double infinite_error = 0;      // its relative standard error, where theory is integrated over samples
    std::optional<Measurement> log_ratio; // log of eta* over exact: the test of theory
    // Of the mean response against its exact expectation; where there is none, of log eta* against infinite width, if
    // what finite width changes is well below the error.
    std::optional<double> z;
    std::optional<KernelFit> kernel; // of training
    // Of training: log eta* of resamples of the networks, the i-th of one cell independent of that of another; infinite where
    // the rates do not bracket it.
    std::vector<double> resampled;
    std::string note;
};

// What a criterion looks at, against the rate, at one (width, depth): a point per rate. Relative to the mean of z^2 where
// the thresholds are.
struct CellCurve {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0;
    std::vector<double> eta;
    std::vector<double> mean; // over networks; infinite where one is
    std::vector<Interval> ci95;
    std::vector<double> linear; // the mean that the first order in eta predicts; none where it does not apply
    std::vector<double> infinite; // the mean at infinite width; none where there is no theory
};

// The power law of the depth that the exact eta* tends to in wide, deep networks; the same at every width.
struct Asymptote {
    std::string law; // as text: "sqrt(3 c) L^(-3/2)"
    double constant = 0;
    double depth_exponent = 0;
};

// A criterion by which a rate is the largest: one entry of estimators(), and nothing else need know of it.
class Estimator {
public:
    virtual ~Estimator() = default;

    virtual std::string_view name() const = 0;        // as --criterion and the JSON have it
    virtual std::string_view description() const = 0; // a few words for --help

    // Of training: a step, and mostly a fraction of the first loss, stand for layer and threshold.
    virtual bool of_training() const { return false; }

    // Q where none is given; nothing where the criterion has no Q.
    virtual std::optional<double> standard_fraction() const { return std::nullopt; }
    virtual bool accepts_fraction(double) const { return false; }

    // What eta* is, as a sentence's end, of training.
    virtual std::string statement(std::uint32_t /*step*/, double /*fraction*/) const { return {}; }

    // eta* is proportional to the root of the threshold, and all else is the same for every threshold.
    virtual bool scales() const { return false; }

    // Real-valued columns that it reads.
    virtual std::vector<std::string> columns(theory::Layer layer) const = 0;

    // Everything of the cell's fit but `exact`. Training has no threshold.
    virtual CellFit estimate(const Cell& cell, const FitOptions& options, double threshold) const = 0;

    // eta* by theory at that width and depth; nothing where there is no theory or no such rate.
    virtual std::optional<double> exact(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                        theory::Layer layer, double threshold) const;

    // eta* by theory at infinite width.
    virtual std::optional<double> infinite(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                           theory::Layer layer, double threshold) const;

    // Nothing where there is no such law.
    virtual std::optional<Asymptote> asymptote(const TrialTable& table, theory::Layer layer,
                                               double threshold) const;

    // Nothing where the criterion looks at no value per rate.
    virtual std::optional<CellCurve> curve(const Cell& cell, const FitOptions& options) const;
};

// All there are, in the order in which they are reported.
std::span<const Estimator* const> estimators();

// By its name. Throws UsageError naming the choices.
const Estimator& estimator(std::string_view name);

} // namespace etastar::analysis

template <>
struct etastar::Names<etastar::analysis::Average> {
    static constexpr std::string_view what = "statistic";
    static constexpr NameTable<analysis::Average, 2> table{
        {{"mean", analysis::Average::mean}, {"median", analysis::Average::median}}};
};

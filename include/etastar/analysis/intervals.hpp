#pragma once

#include "etastar/analysis/statistics.hpp"
#include "etastar/names.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace etastar::analysis {

// How an interval came about.
enum class IntervalMethod {
    none,             // there is none
    log_normal,       // cumulants of the logarithm
    bootstrap_t,      // Studentised bootstrap
    control_variates, // regression on quantities of known mean
    order_statistics, // of a median
    bootstrap,        // percentiles of resamples
};

// Which resamples: how many, and the name of their random stream.
struct Resampling {
    std::size_t resamples = 2000;
    std::uint64_t seed = 0;
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
};

// log E X from independent draws of X >= 0.
struct LogMean {
    double sample = 0; // log of the sample's mean; infinite where that is 0 or infinite
    double value = 0;  // the estimate to which the error and the interval belong
    double standard_error = std::numeric_limits<double>::quiet_NaN();
    double degrees = 0; // of freedom of that error
    Interval ci95;
    IntervalMethod method = IntervalMethod::none;
};

// By the first three cumulants k1 + k2/2 + k3/6 of log X, with the error that they have where log X is Gaussian of
// variance k2: k2 + k2^2/2 + k2^3/6 over the number of draws, and Student's interval. Where there are zeros, or the
// fourth cumulant shows that this estimate's bias is no longer small against its error, by bootstrap_t instead. No
// interval from fewer than two draws or with an infinite one.
LogMean log_mean(std::span<const double> draws, const Resampling& resampling);

// The Studentised bootstrap of the log of the mean, with the delta method's error in every resample. The upper end is
// NaN, open, where over 2.5 % of the resamples are all zeros.
LogMean bootstrap_t(std::span<const double> draws, const Resampling& resampling);

// log (E X / E Y) from pairs of draws: the difference of both log_mean, with the correlation of their errors that the logs of
// the draws have; where either needs it, the Studentised bootstrap of pairs.
LogMean log_ratio(std::span<const double> x, std::span<const double> y, const Resampling& resampling);

// Of a regression of y on controls whose means are known to be 0: the value at controls 0.
struct Controlled {
    bool determined = false;
    double value = 0;          // estimate of E y
    double standard_error = 0; // of unequal variances, each residual over 1 - its leverage (HC3)
    double degrees = 0;
    double variance_ratio = 1; // of y and the residuals
};

// Each control is as long as y; those that do not vary, or repeat another, are left out.
Controlled with_controls(std::span<const double> y, const std::vector<std::vector<double>>& controls);

// Ranks, from 0, of the draws between which the median lies with at least 95 % probability, whatever their law; false
// where there are too few.
struct MedianRanks {
    bool exist = false;
    std::size_t low = 0;
    std::size_t high = 0;
};
MedianRanks median_ranks(std::size_t draws);

// Of a copy, sorted; the mean of the middle two where their number is even. Not of an empty list.
double median(std::vector<double> values);

} // namespace etastar::analysis

template <>
struct etastar::Names<etastar::analysis::IntervalMethod> {
    static constexpr std::string_view what = "interval";
    static constexpr NameTable<analysis::IntervalMethod, 6> table{
        {{"none", analysis::IntervalMethod::none},
         {"log-normal", analysis::IntervalMethod::log_normal},
         {"bootstrap-t", analysis::IntervalMethod::bootstrap_t},
         {"control variates", analysis::IntervalMethod::control_variates},
         {"order statistics", analysis::IntervalMethod::order_statistics},
         {"bootstrap", analysis::IntervalMethod::bootstrap}}};
};

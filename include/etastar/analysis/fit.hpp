#pragma once

#include "etastar/analysis/statistics.hpp"
#include "etastar/analysis/table.hpp"
#include "etastar/theory/moments.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etastar::analysis {

// linear: first order in eta, from the responses. finite: the step itself, from dz^2 on the eta grid.
enum class Criterion { linear, finite };

struct FitOptions {
    std::vector<Criterion> criteria{Criterion::linear, Criterion::finite};
    std::vector<double> thresholds{1.0};
    theory::Layer layer = theory::Layer::last;
    std::size_t resamples = 2000;
    std::uint64_t seed = 0;
};

// eta* of one (width, depth). Absent values do not exist: `note` says why.
struct CellFit {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0; // behind the estimate
    std::optional<double> eta_star;
    Interval ci95;
    bool outside_grid = false; // no value because the rates do not bracket the threshold
    double relative_error = 0; // standard error of log eta*
    std::optional<double> exact;
    std::optional<Measurement>
        log_ratio;           // log of (c / mean G)^(1/2) against exact: the test of theory, without f^2
    std::optional<double> z; // of the mean response against its exact expectation
    std::string note;
};

// Slope of log eta* in log L between neighbouring depths of one width.
struct LocalSlope {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint32_t next_depth = 0;
    LinearEstimate slope;
    std::optional<double> exact;
};

// eta* = constant * n^width * L^depth.
struct PowerLaw {
    std::optional<LinearEstimate>
        constant; // value and interval of the constant itself, error of its logarithm
    std::optional<LinearEstimate> width;
    std::optional<LinearEstimate> depth;
    double chi_squared = 0;
    std::size_t degrees = 0;
    double p_value = 1;
};

struct CriterionFit {
    Criterion criterion = Criterion::linear;
    double threshold = 1;
    theory::Layer layer = theory::Layer::last;
    std::vector<CellFit> cells;
    PowerLaw law;
    std::optional<PowerLaw> exact;    // the same regression, with the same weights, on the exact values
    std::optional<PowerLaw> relative; // and on log_ratio: 1 n^0 L^0 where theory holds
    std::vector<LocalSlope> slopes;
};

struct FitReport {
    std::vector<CriterionFit> fits;
    std::vector<std::string> warnings;
};

FitReport fit(const TrialTable& table, const FitOptions& options);

} // namespace etastar::analysis

template <>
struct etastar::sweep::Names<etastar::analysis::Criterion> {
    static constexpr std::string_view what = "criterion";
    static constexpr NameTable<analysis::Criterion, 2> table{
        {{"linear", analysis::Criterion::linear}, {"finite", analysis::Criterion::finite}}};
};

#pragma once

#include "etastar/analysis/estimator.hpp"

#include <optional>
#include <string>
#include <vector>

namespace etastar::analysis {

// The entries of estimators(), each in a file of its own.
const Estimator& linear_estimator();
const Estimator& finite_estimator();
const Estimator& converges_estimator();
const Estimator& best_estimator();
const Estimator& stable_estimator();
const Estimator& reaches_estimator();

// What they share.

// The interval of a quantity from that of its logarithm; ends that the samples cannot tell are NaN.
Interval exponential(const Interval& logs);

// Networks of which every row has run.
std::vector<std::uint64_t> whole_networks(const Cell& cell);

// The cell's learning rates, ascending.
std::vector<double> rates(const Cell& cell);
std::vector<double> logs(std::vector<double> values);

// Why a cell without a usable network has none.
std::string absence(const Cell& cell);

std::string response_column(theory::Layer layer);

// Of ||z^l||^2 / n before the step; there is none of the output.
std::string size_column(theory::Layer layer);

// ||z||^2 / n of the networks of these rows, or of responses(), in their order; none where the rows do not have the column.
std::vector<double> sizes(const Cell& cell, theory::Layer layer, const std::vector<std::uint64_t>& rows);
std::vector<double> sizes(const Cell& cell, theory::Layer layer);

// Its mean; none where that is not a positive number.
std::optional<double> mean_size(const std::vector<double>& sizes);

// Sets the note of a cell whose thresholds are relative to nothing.
void note_no_size(CellFit& fit);

// G of every network of which a row has run: eta^2 times their mean is E dz^2 to first order and for a unit error. None
// where the rows do not have the columns of the linear criterion.
std::vector<double> responses(const Cell& cell, theory::Layer layer);

// mean f^2 G / mean G over the same networks; none where that is not finite, and for optimizers whose step does not grow
// with the error.
std::optional<double> share_of_f2(const Cell& cell, theory::Layer layer);

Resampling resampling(const Cell& cell, const FitOptions& options);

// Sets a fit's error and interval from those of log eta*; the interval is extended to eta* itself where that lies outside.
// Without a measurement the error is that of a Gaussian with this interval.
void take(CellFit& fit, const std::optional<Measurement>& log_rate, Interval logs, IntervalMethod method);

} // namespace etastar::analysis

#pragma once

#include "etastar/analysis/estimator.hpp"

#include <string>

namespace etastar::analysis {

// The entries of estimators(), each in a file of its own.
const Estimator& linear_estimator();
const Estimator& finite_estimator();

// What they share.

// The interval of a quantity from that of its logarithm; ends that the samples cannot tell are NaN.
Interval exponential(const Interval& logs);

// Why a cell without a usable network has none.
std::string absence(const Cell& cell);

// (1 + f^2) G of every network of which a row has run: eta^2 times their mean is E dz^2 to first order. None where the
// rows do not have the columns of the linear criterion.
Samples weighted_responses(const Cell& cell, theory::Layer layer);

} // namespace etastar::analysis

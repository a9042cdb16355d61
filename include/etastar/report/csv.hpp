#pragma once

#include "etastar/analysis/fit.hpp"

#include <string>

namespace etastar::report {

// The cells of all fits as a table (RFC 4180: commas, CRLF, quotes where they are needed): one row per cell and fit. Columns
// have the names of the JSON; both ends of an interval `ci95` are `ci95_low` and `ci95_high`, a key `value` of an object
// that is no cell's own is the object's name. Numbers are written to all their digits, whatever the locale; what does not
// exist or is not finite is empty.
std::string to_csv(const analysis::FitReport& report);

} // namespace etastar::report

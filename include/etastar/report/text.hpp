#pragma once

#include "etastar/analysis/fit.hpp"

#include <string>

namespace etastar::report {

// What `etastar fit` prints: tables of cells, exponents and local slopes, and the warnings. Long tables are folded unless
// `all` is to be shown; of thresholds that only scale eta*, all but the first are a line.
std::string to_text(const analysis::FitReport& report, bool all = false);

} // namespace etastar::report

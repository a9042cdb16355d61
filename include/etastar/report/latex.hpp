#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/report/source.hpp"

#include <string>

namespace etastar::report {

// A table (booktabs; of more than a page's rows a longtable) for each fit: its cells, and the exponents in the caption. A
// value has its standard error in parentheses, in units of the last digit, where it has one; intervals are of 95 %.
std::string to_latex(const analysis::FitReport& report, const Source& source);

} // namespace etastar::report

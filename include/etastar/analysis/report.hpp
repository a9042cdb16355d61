#pragma once

#include "etastar/analysis/fit.hpp"

#include <string>

namespace etastar::analysis {

// The JSON document of `etastar fit --json` (docs/format.md).
std::string to_json(const FitReport& report);

// The same for a person: tables of cells, exponents and local slopes, and the warnings.
std::string to_text(const FitReport& report);

} // namespace etastar::analysis

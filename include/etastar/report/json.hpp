#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/report/source.hpp"

#include <string>

namespace etastar::report {

// The JSON document of `etastar fit --json` (docs/format.md); what figures need is there with FitOptions::curves.
std::string to_json(const analysis::FitReport& report, const Source& source);

} // namespace etastar::report

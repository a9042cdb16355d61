#pragma once

#include "etastar/analysis/fit.hpp"

#include <string>

namespace etastar::analysis {

// Where a report comes from, as far as the table does not say it.
struct Source {
    std::string file;
    std::string version; // of the program
};

// The JSON document of `etastar fit --json` (docs/format.md); what figures need is there with FitOptions::curves.
std::string to_json(const FitReport& report, const Source& source);

// The same for a person: tables of cells, exponents and local slopes, and the warnings. Long tables are folded unless
// `all` is to be shown; of thresholds that only scale eta*, all but the first are a line.
std::string to_text(const FitReport& report, bool all = false);

} // namespace etastar::analysis

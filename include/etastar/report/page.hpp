#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/analysis/profile.hpp"
#include "etastar/report/source.hpp"
#include "etastar/sweep/spec.hpp"

#include <string>
#include <utility>
#include <vector>

namespace etastar::report {

// What a page says.
struct PageInput {
    Source source;
    sweep::Spec spec;
    analysis::FitOptions options;
    analysis::FitReport fit;                                     // with FitOptions::curves
    std::vector<analysis::Profile> profiles;                     // none where the sweep did not keep them
    std::vector<std::pair<std::string, std::string>> provenance; // attribute and value
    std::string written;                                         // when, as text
};

// One HTML page that needs nothing else: question, answer, figures, cells, warnings, what reproduces it. Figures are drawn
// by the page's own script from numbers in it, of large sweeps from some of the cells; the rest needs no script.
std::string to_html(const PageInput& input);

} // namespace etastar::report

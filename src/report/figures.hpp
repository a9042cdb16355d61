#pragma once

#include "etastar/report/page.hpp"

#include <string>
#include <vector>

namespace etastar::report {

// A figure of the page: its place is drawn in by the script, from the part of the data that has its name.
struct Figure {
    std::string name;
    std::string title;
    std::string caption;
    std::string absence; // why there is none; then nothing is drawn
    std::string thinned; // what of the sweep it leaves out
};

struct Figures {
    std::vector<Figure> list;
    std::string data; // JSON
};

Figures figures_of(const PageInput& input);

} // namespace etastar::report

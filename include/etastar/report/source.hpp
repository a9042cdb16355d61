#pragma once

#include <string>

namespace etastar::report {

// Where a report comes from, as far as the table does not say it.
struct Source {
    std::string file;
    std::string version; // of the program
};

} // namespace etastar::report

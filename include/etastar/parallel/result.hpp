#pragma once

#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::parallel {

// What comes back for one network.
struct NetworkResult {
    std::uint64_t network = 0;         // index in the spec's canonical order
    bool skipped = false;              // not run: it would not have ended in time; no rows
    double expected_seconds = 0;       // of the cost model,
    double seconds = 0;                // and as measured
    std::vector<sweep::TrialRow> rows; // one per rate, sealed
    std::vector<double> response;      // G_l, l = 1..depth; empty unless the spec asks for the profile
    std::string error;                 // why the rows failed; empty if they did not
};

} // namespace etastar::parallel

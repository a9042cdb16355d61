#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace etastar::parallel {

// What comes back for one network.
struct NetworkResult {
    std::uint64_t network = 0;     // index in the plan's canonical order
    bool skipped = false;          // not run: it would not have ended in time; no record
    double expected_seconds = 0;   // of the cost model,
    double seconds = 0;            // and as measured
    std::vector<std::byte> record; // trial/record.hpp
    std::string error;             // why the network failed; empty if it did not
};

} // namespace etastar::parallel

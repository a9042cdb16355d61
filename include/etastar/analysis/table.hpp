#pragma once

#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::analysis {

// A sweep's results as read from its file: every row of the spec's grid in canonical order.
struct TrialTable {
    sweep::Spec spec;
    std::vector<sweep::TrialRow> rows;
    bool complete = false;
    std::uint64_t damaged = 0; // rows whose checksum does not match; their status here is pending
};

} // namespace etastar::analysis

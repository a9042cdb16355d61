#pragma once

#include "etastar/plan/plan.hpp"
#include "etastar/trial/kind.hpp"
#include "etastar/trial/record.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::trial {

// A sweep's rows as read from its file: every row of the plan in canonical order.
struct Results {
    plan::Plan plan;
    const Kind* kind = nullptr;
    std::vector<std::byte> rows = {};
    // Of each table that is analysed all rows in canonical order; NaN where a row does not match its checksum.
    std::vector<std::vector<double>> tables = {};
    bool complete = false;
    // Rows whose checksum, or that of their part of an analysed table, does not match; their status here is pending.
    std::uint64_t damaged = 0;
    std::string version = {}; // of the program that began it

    ConstBytes row(std::uint64_t index) const {
        const auto bytes = kind->row().bytes;
        return ConstBytes(rows).subspan(index * bytes, bytes);
    }
};

} // namespace etastar::trial

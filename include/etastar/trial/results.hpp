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
    std::vector<std::byte> rows;
    bool complete = false;
    std::uint64_t damaged = 0; // rows whose checksum does not match; their status here is pending
    std::string version;       // of the program that began it

    ConstBytes row(std::uint64_t index) const {
        const auto bytes = kind->row().bytes;
        return ConstBytes(rows).subspan(index * bytes, bytes);
    }
};

} // namespace etastar::trial

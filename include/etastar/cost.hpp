#pragma once

#include <cstddef>

namespace etastar {

// Work of one network (seconds on one core of 2023; ratios between networks are what scheduling relies on) and the
// memory that a rank needs for it.
struct Cost {
    double seconds = 0;
    std::size_t bytes = 0;
};

} // namespace etastar

#pragma once

#include <cmath>
#include <limits>

namespace etastar {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// For quantities that cannot be negative: a NaN among them can only be an overflow that met a zero or another
// overflow, so it is as large as can be.
inline double infinite_if_nan(double x) {
    return std::isnan(x) ? std::numeric_limits<double>::infinity() : x;
}

} // namespace etastar

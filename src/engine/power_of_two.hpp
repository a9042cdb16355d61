#pragma once

#include <cmath>

namespace etastar::engine {

// A power of two near the square root of x, 1 where x has none: a unit in which values whose squares add up to x
// are far from either end of the range of single precision. Dividing by it changes no digit.
inline double root_power_of_two(double x) {
    if (!(x > 0) || !std::isfinite(x)) return 1;
    return std::ldexp(1.0, std::ilogb(x) / 2);
}

} // namespace etastar::engine

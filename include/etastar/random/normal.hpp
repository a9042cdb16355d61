#pragma once

#include "etastar/random/stream.hpp"

#include <cstddef>
#include <cstdint>

namespace etastar::random {

// Writes positions [first, first + count) of the stream's sequence of independent N(0, scale^2) variates.
//
// Box-Muller on pairs of 32-bit words: |x| <= 6.66 scale; the chance of an honest Gaussian beyond is 3e-11.
// Position i has the same bits whatever range it is drawn in and on every x86-64 level (no libm, no
// contraction, fixed lanes).
void fill_normal(const Stream& stream, std::uint64_t first, std::size_t count, float scale, float* out);

// The same variates, widened.
void fill_normal(const Stream& stream, std::uint64_t first, std::size_t count, float scale, double* out);

} // namespace etastar::random

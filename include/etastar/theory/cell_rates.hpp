#pragma once

#include "etastar/sweep/spec.hpp"

#include <cstdint>
#include <vector>

namespace etastar::theory {

// The sweep's base learning rates at one (width, depth), absolute, ascending: the eta axis itself, or its
// multiples of the exact eta*_lin(n, L) at threshold 1. Throws UsageError where that is not finite and
// positive.
std::vector<double> cell_rates(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth);

} // namespace etastar::theory

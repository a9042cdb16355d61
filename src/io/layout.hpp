#pragma once

#include "hdf5.hpp"

#include <cstdint>
#include <span>

namespace etastar::io {

inline constexpr const char* file_type = "etastar-sweep";
inline constexpr std::uint32_t format_major = 1;
inline constexpr std::uint32_t format_minor = 0;

// The compound type of a row of /trials. The file's type and the memory type are one: little-endian, with the
// offsets of sweep::TrialRow.
hdf5::Handle trial_type();

// CRC-32 of a row of /profile/response.
std::uint32_t profile_check(std::span<const double> row);

} // namespace etastar::io

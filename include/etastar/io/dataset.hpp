#pragma once

#include "etastar/model/data.hpp"

#include <cstdint>
#include <filesystem>
#include <limits>

namespace etastar::io {

// Most numbers, inputs and targets, of a data set: 512 MiB.
inline constexpr std::uint64_t max_data = std::uint64_t{1} << 26;

// A user's training examples: the datasets `x` [P, n0] and `y` [P] of an HDF5 file, integers or floating point, or the first
// `most` of them. Throws FileError naming the file, the dataset and, of a value that is no finite number, its row.
model::Dataset read_dataset(const std::filesystem::path& path,
                            std::uint32_t most = std::numeric_limits<std::uint32_t>::max());

} // namespace etastar::io

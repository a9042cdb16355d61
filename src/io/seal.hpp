#pragma once

#include "layout.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace etastar::io {

// What follows HDF5's part of the file, twice: where the rows are, and a checksum of everything else.
//
// HDF5's structure has no checksums of its own, and the library may crash or hang on a damaged one; with the seal
// damage is found before the library sees it. HDF5 ignores what follows its part and cuts it off when it opens the
// file for writing, so a file that another program has changed has no seal, never a wrong one.
struct Seal {
    char magic[16] = {};
    std::uint64_t structure_bytes = 0; // length of HDF5's part
    std::uint64_t complete_offset = 0; // u8, attribute `complete`
    std::uint64_t finished_offset = 0; // f64, attribute `finished_unix`
    Extent data[5] = {}; // what a sweep changes: /trials, then tables with their checks; 0, 0 for none
    // CRC-32 of HDF5's part without the data and the two values
    std::uint32_t structure_check = 0;
    std::uint32_t check = 0; // CRC-32 of this seal
};
static_assert(sizeof(Seal) == 128);

// Bytes that a seal adds to a file: it stands there twice.
inline constexpr std::uint64_t seal_bytes = 2 * sizeof(Seal);

// The file's seal; none if it has none. Throws FileError where it, or what it seals, is damaged.
std::optional<Seal> read_seal(int descriptor, const std::filesystem::path& path);

// Seals a file that HDF5 has closed. Its `complete` and `finished_unix` are found by changing them, in a copy of
// the structure that is made beside it and removed. Throws FileError.
Seal add_seal(int descriptor, const std::filesystem::path& path, const std::vector<Extent>& data);

} // namespace etastar::io

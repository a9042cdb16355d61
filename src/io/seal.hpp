#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace etastar::io {

// What follows HDF5's part of the file, twice: where the rows are, and a checksum of everything else.
//
// HDF5's structure has no checksums of its own, and the library may crash or hang on a damaged one; with the seal
// damage is found before the library sees it. HDF5 ignores what follows its part and cuts it off when it opens the
// file for writing, so a file that another program has changed has no seal, never a wrong one.
struct Seal {
    char magic[16] = {};
    std::uint64_t structure_bytes = 0; // length of HDF5's part
    std::uint64_t trials_offset = 0;
    std::uint64_t trials_bytes = 0;
    std::uint64_t profile_offset = 0;
    std::uint64_t profile_bytes = 0;
    std::uint64_t checks_offset = 0; // /profile/check
    std::uint64_t checks_bytes = 0;
    std::uint64_t complete_offset = 0; // u8, attribute `complete`
    std::uint64_t finished_offset = 0; // f64, attribute `finished_unix`
    std::uint32_t structure_check =
        0; // CRC-32 of HDF5's part without the rows, the profile, its checks and the two values
    std::uint32_t check = 0; // CRC-32 of this seal
};
static_assert(sizeof(Seal) == 96);

// Bytes that a seal adds to a file: it stands there twice.
inline constexpr std::uint64_t seal_bytes = 2 * sizeof(Seal);

// Where a file's mutable bytes are.
struct Extents {
    std::uint64_t trials_offset = 0;
    std::uint64_t trials_bytes = 0;
    std::uint64_t profile_offset = 0;
    std::uint64_t profile_bytes = 0;
    std::uint64_t checks_offset = 0;
    std::uint64_t checks_bytes = 0;
};

// The file's seal; none if it has none. Throws FileError where it, or what it seals, is damaged.
std::optional<Seal> read_seal(int descriptor, const std::filesystem::path& path);

// Seals a file that HDF5 has closed. Its `complete` and `finished_unix` are found by changing them, in a copy of
// the structure that is made beside it and removed. Throws FileError.
Seal add_seal(int descriptor, const std::filesystem::path& path, const Extents& extents);

} // namespace etastar::io

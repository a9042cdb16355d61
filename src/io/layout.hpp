#pragma once

#include "etastar/trial/record.hpp"

#include "hdf5.hpp"

#include <cstdint>
#include <vector>

namespace etastar::io {

inline constexpr const char* file_type = "etastar-sweep";
inline constexpr std::uint32_t format_major = 2;
inline constexpr std::uint32_t format_minor = 2;
// Of this major version, the first whose rows and spec are those of this program.
inline constexpr std::uint32_t oldest_minor = 1;

// Wherever all networks are read or written: as many at a time as have so many rows and bytes, at least one.
inline constexpr std::size_t rows_at_once = 1 << 15;
inline constexpr std::size_t bytes_at_once = std::size_t{1} << 25;
std::uint64_t networks_at_once(const trial::RecordLayout& layout);

// The compound type of a row. The file's type and the memory type are one: little-endian, with the offsets of the
// columns. Only sweeps with a target skip rows, and have a name for that status.
hdf5::Handle row_type(const trial::RowType& row, bool skips);

// Bytes of a file.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

// Where a file's rows and tables are: all that a sweep changes, but for two attributes.
struct DataMap {
    struct Table {
        Extent values;
        Extent checks; // CRC-32 of each of its rows
    };
    Extent trials;
    std::vector<Table> tables;

    std::vector<Extent> extents() const;
};

} // namespace etastar::io

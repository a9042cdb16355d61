#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace etastar::trial {

// Rows and records as bytes, for everybody who moves them and need not know what was measured.

enum class Status : std::uint8_t {
    pending = 0,   // not run yet
    done = 1,      // every value is finite
    nonfinite = 2, // run; something left the range of floating point
    failed = 3,    // could not be run; measured values are NaN
    skipped = 4,   // of a sweep with a target that was reached without it; measured values are NaN
};

enum class Scalar { u32, u64, f64, status };

constexpr std::size_t bytes_of(Scalar type) {
    switch (type) {
    case Scalar::u32:
        return 4;
    case Scalar::u64:
    case Scalar::f64:
        return 8;
    case Scalar::status:
        break;
    }
    return 1;
}

// A field of a row: a name, a type and a place, as in the file (docs/format.md), and what it is in one line, which the
// file has as an attribute.
struct Column {
    std::string_view name;
    Scalar type;
    std::size_t offset;
    std::string_view meaning;
};

// Names the trial of a row, in its first bytes: the same in rows of every kind.
struct Coordinates {
    std::uint32_t width = 0; // n
    std::uint32_t depth = 0; // L
    std::uint64_t seed = 0;
    double eta = 0; // base learning rate, absolute

    bool operator==(const Coordinates&) const = default;
};

// The last bytes of every row.
struct RowEnd {
    Status status = Status::pending;
    std::uint8_t reserved[3] = {0, 0, 0};
    std::uint32_t check = 0; // CRC-32 (ISO-HDLC, as zlib's) of the row's bytes before `check`
};
static_assert(sizeof(Coordinates) == 24 && sizeof(RowEnd) == 8);

// What a row of some kind of trial is: Coordinates, measured f64 columns and such, RowEnd. `columns` name all of it.
struct RowType {
    std::span<const Column> columns;
    std::size_t bytes;

    // Null if there is none of this name.
    const Column* find(std::string_view name) const;
};

// That the columns are Coordinates, then measurements, then RowEnd, each where the one before it ends: no byte of a
// row is anybody's guess.
constexpr bool well_formed(const RowType& type) {
    constexpr std::string_view first[] = {"width", "depth", "seed", "eta"};
    constexpr Scalar first_types[] = {Scalar::u32, Scalar::u32, Scalar::u64, Scalar::f64};
    const std::size_t count = type.columns.size();
    if (count < 6) return false;
    std::size_t end = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& column = type.columns[i];
        if (i < 4 && (column.name != first[i] || column.type != first_types[i])) return false;
        if ((column.name == "status" || column.type == Scalar::status) != (i == count - 2)) return false;
        if (i + 1 == count) end += sizeof(RowEnd::reserved);
        if (column.offset != end) return false;
        end += bytes_of(column.type);
    }
    const auto& last = type.columns[count - 1];
    return end == type.bytes && last.name == "check" && last.type == Scalar::u32;
}

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

Coordinates coordinates(ConstBytes row);
Status status(ConstBytes row);

// Every NaN of the row made the one quiet NaN, so that equal results are equal bytes, and its check set.
void seal(const RowType& type, Bytes row);

// A whole row: the check matches. A torn or damaged row is treated as pending.
bool intact(ConstBytes row);

// Makes it the row of a trial that has not been measured: measurements NaN or 0; sealed.
void make_unmeasured(const RowType& type, const Coordinates& where, Status status, Bytes row);

// Beside its rows a kind of trial may keep numbers of each network: a dataset /group/name of doubles, with a checksum of
// each of its rows in /group/check.
struct Table {
    std::string_view group;
    std::string_view name;
    std::uint64_t rows = 1;    // of one network
    std::uint64_t columns = 0; // NaN where there is nothing to tell
    bool analysed = false;     // `fit` reads it
    bool per_rate = false;     // its rows are those of the rates, one each
    std::string_view meaning = {};

    // What the columns are; they are numbered from `first_column` on.
    std::string_view column = "column";
    std::string_view column_meaning = {};
    std::uint32_t first_column = 0;
};

// Where the parts of a record, everything that is kept of one network, stand: its rows, then its part of each table.
class RecordLayout {
public:
    RecordLayout(const RowType& row, std::size_t rates, std::vector<Table> tables);

    const RowType& row() const { return row_; }
    std::size_t rates() const { return rates_; }
    std::span<const Table> tables() const { return tables_; }
    std::size_t bytes() const { return offsets_.back(); }
    std::size_t rows_bytes() const { return rates_ * row_.bytes; }
    std::size_t table_bytes(std::size_t table) const { return offsets_[table + 1] - offsets_[table]; }

    // Views of a record's parts.
    template <class Record>
    auto rows(Record&& record) const {
        return view(record).subspan(0, rows_bytes());
    }
    template <class Record>
    auto row(Record&& record, std::size_t rate) const {
        return view(record).subspan(rate * row_.bytes, row_.bytes);
    }
    template <class Record>
    auto table(Record&& record, std::size_t table) const {
        return view(record).subspan(offsets_[table], table_bytes(table));
    }

private:
    static Bytes view(std::vector<std::byte>& record) { return record; }
    static ConstBytes view(const std::vector<std::byte>& record) { return record; }
    static Bytes view(Bytes record) { return record; }
    static ConstBytes view(ConstBytes record) { return record; }

    RowType row_;
    std::size_t rates_;
    std::vector<Table> tables_;
    std::vector<std::size_t> offsets_; // of each table, and the end
};

// Makes it the record of a network that has not been measured; `network` is the name of its rows but for their rates.
void make_unmeasured(const RecordLayout& layout, Coordinates network, std::span<const double> etas,
                     Status status, Bytes record);

// A row of a table: its CRC-32, and what stands in one that has not been measured.
std::uint32_t checksum(ConstBytes bytes);
void fill_nan(Bytes values);

} // namespace etastar::trial

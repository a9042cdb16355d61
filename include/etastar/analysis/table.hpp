#pragma once

#include "etastar/trial/results.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::analysis {

// Estimators read cells and columns, of whatever kind of trial has these columns.
using TrialTable = trial::Results;

// A real-valued column of the rows.
class Column {
public:
    double operator[](std::uint64_t row) const;

private:
    friend Column column(const TrialTable&, std::string_view);
    Column(const std::byte* first, std::size_t stride) : first_(first), stride_(stride) {}

    const std::byte* first_; // value of row 0
    std::size_t stride_;     // bytes from row to row
};

bool has_column(const TrialTable& table, std::string_view name);

// Valid as long as the table. Throws std::invalid_argument for a name that is none of a real-valued column.
Column column(const TrialTable& table, std::string_view name);

// A table that the kind of trial keeps beside the rows: numbers of each row, NaN where there is nothing to tell.
class Series {
public:
    std::size_t columns() const { return columns_; }
    std::span<const double> operator[](std::uint64_t row) const {
        return values_.subspan(row * columns_, columns_);
    }

private:
    friend Series series(const TrialTable&, std::string_view);
    Series(std::span<const double> values, std::size_t columns) : values_(values), columns_(columns) {}

    std::span<const double> values_;
    std::size_t columns_;
};

// Valid as long as the table. Throws std::invalid_argument for a name that is none of a table of rows that is analysed.
Series series(const TrialTable& table, std::string_view name);

// The rows of one (width, depth): networks x rates.
struct Cell {
    const TrialTable* table;
    std::uint32_t width;
    std::uint32_t depth;
    std::uint64_t networks;
    std::size_t rates;
    std::uint64_t first_row;

    std::uint64_t row(std::uint64_t network, std::size_t rate) const {
        return first_row + network * rates + rate;
    }
    // The trial has run, whether or not its step stayed in the range of floating point.
    bool measured(std::uint64_t row) const;
    bool failed(std::uint64_t row) const;
};

// In the order of the file: width, then depth.
std::vector<Cell> cells(const TrialTable& table);

// How many rows there are of each kind; all but the first add up to it.
struct RowCounts {
    std::uint64_t all = 0;
    std::uint64_t finished = 0;
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
    std::uint64_t damaged = 0;
    std::uint64_t skipped = 0;
};

RowCounts count_rows(const TrialTable& table);

// The spec as one line of JSON.
std::string spec_of(const TrialTable& table);

} // namespace etastar::analysis

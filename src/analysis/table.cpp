#include "etastar/analysis/table.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace etastar::analysis {
namespace {

using sweep::Status;
using sweep::TrialRow;

struct RealColumn {
    std::string_view name;
    std::size_t offset;
};

constexpr RealColumn real_columns[] = {
    {"eta", offsetof(TrialRow, eta)},
    {"target", offsetof(TrialRow, target)},
    {"output", offsetof(TrialRow, output)},
    {"output_after", offsetof(TrialRow, output_after)},
    {"loss", offsetof(TrialRow, loss)},
    {"loss_after", offsetof(TrialRow, loss_after)},
    {"dz2_last", offsetof(TrialRow, dz2_last)},
    {"dz2_max", offsetof(TrialRow, dz2_max)},
    {"dz2_mean", offsetof(TrialRow, dz2_mean)},
    {"response_last", offsetof(TrialRow, response_last)},
    {"response_max", offsetof(TrialRow, response_max)},
    {"response_mean", offsetof(TrialRow, response_mean)},
    {"response_output", offsetof(TrialRow, response_output)},
};

const RealColumn* find_column(std::string_view name) {
    const auto found = std::find_if(std::begin(real_columns), std::end(real_columns),
                                    [&](const RealColumn& entry) { return entry.name == name; });
    return found == std::end(real_columns) ? nullptr : found;
}

bool is_measured(Status status) { return status == Status::done || status == Status::nonfinite; }

} // namespace

double Column::operator[](std::uint64_t row) const {
    double value;
    std::memcpy(&value, first_ + row * stride_, sizeof value);
    return value;
}

bool has_column(const TrialTable&, std::string_view name) { return find_column(name) != nullptr; }

Column column(const TrialTable& table, std::string_view name) {
    const auto* entry = find_column(name);
    if (entry == nullptr) throw std::invalid_argument("no column '" + std::string(name) + "'");
    return {reinterpret_cast<const std::byte*>(table.rows.data()) + entry->offset, sizeof(TrialRow)};
}

bool Cell::measured(std::uint64_t row) const { return is_measured(table->rows[row].status); }

bool Cell::failed(std::uint64_t row) const { return table->rows[row].status == Status::failed; }

std::vector<Cell> cells(const TrialTable& table) {
    std::vector<Cell> result;
    const auto& spec = table.spec;
    std::uint64_t first = 0;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            result.push_back({&table, width, depth, spec.seeds, spec.eta.size(), first});
            first += spec.seeds * spec.eta.size();
        }
    return result;
}

RowCounts count_rows(const TrialTable& table) {
    RowCounts counts;
    counts.all = table.rows.size();
    counts.damaged = table.damaged;
    for (const auto& row : table.rows) {
        counts.finished += is_measured(row.status);
        counts.failed += row.status == Status::failed;
    }
    counts.pending = counts.all - counts.finished - counts.failed - counts.damaged;
    return counts;
}

std::string spec_of(const TrialTable& table) { return sweep::to_json(table.spec); }

} // namespace etastar::analysis

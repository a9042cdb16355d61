#include "etastar/analysis/table.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace etastar::analysis {
namespace {

using trial::Status;

bool is_measured(Status status) { return status == Status::done || status == Status::nonfinite; }

const trial::Column* find_real(const TrialTable& table, std::string_view name) {
    const auto* column = table.kind->row().find(name);
    return column != nullptr && column->type == trial::Scalar::f64 ? column : nullptr;
}

} // namespace

double Column::operator[](std::uint64_t row) const {
    double value;
    std::memcpy(&value, first_ + row * stride_, sizeof value);
    return value;
}

bool has_column(const TrialTable& table, std::string_view name) { return find_real(table, name) != nullptr; }

Column column(const TrialTable& table, std::string_view name) {
    const auto* found = find_real(table, name);
    if (found == nullptr) throw std::invalid_argument("no column '" + std::string(name) + "'");
    return {table.rows.data() + found->offset, table.kind->row().bytes};
}

Series series(const TrialTable& table, std::string_view name) {
    const auto& spec = table.plan.spec();
    std::size_t analysed = 0;
    for (const auto& entry : table.kind->tables(spec)) {
        if (!entry.analysed) continue;
        if (entry.name == name && entry.rows == spec.eta.size())
            return {table.tables.at(analysed), static_cast<std::size_t>(entry.columns)};
        ++analysed;
    }
    throw std::invalid_argument("no table '" + std::string(name) + "'");
}

bool Cell::measured(std::uint64_t row) const { return is_measured(trial::status(table->row(row))); }

bool Cell::failed(std::uint64_t row) const { return trial::status(table->row(row)) == Status::failed; }

std::vector<Cell> cells(const TrialTable& table) {
    std::vector<Cell> result;
    const auto& plan = table.plan;
    std::uint64_t first = 0;
    for (const auto& cell : plan.cells()) {
        result.push_back({&table, cell.width, cell.depth, plan.spec().seeds, plan.rates(), first});
        first += plan.spec().seeds * plan.rates();
    }
    return result;
}

RowCounts count_rows(const TrialTable& table) {
    RowCounts counts;
    counts.all = table.plan.rows();
    counts.damaged = table.damaged;
    for (std::uint64_t i = 0; i < counts.all; ++i) {
        const auto status = trial::status(table.row(i));
        counts.finished += is_measured(status);
        counts.failed += status == Status::failed;
        counts.skipped += status == Status::skipped;
    }
    counts.pending = counts.all - counts.finished - counts.failed - counts.damaged - counts.skipped;
    return counts;
}

std::string spec_of(const TrialTable& table) { return sweep::to_json(table.plan.spec()); }

} // namespace etastar::analysis

#include "etastar/trial/record.hpp"

#include "../floating.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace etastar::trial {
namespace {

constexpr std::size_t check_bytes = sizeof(RowEnd::check);

template <class T>
T get(ConstBytes bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

template <class T>
void put(Bytes bytes, std::size_t offset, const T& value) {
    std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

void set_check(Bytes row) {
    const auto end = row.size() - check_bytes;
    put(row, end, checksum(row.first(end)));
}

} // namespace

void fill_nan(Bytes values) {
    for (std::size_t at = 0; at < values.size(); at += sizeof(double)) put(values, at, nan);
}

const Column* RowType::find(std::string_view name) const {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [&](const Column& column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

Coordinates coordinates(ConstBytes row) { return get<Coordinates>(row, 0); }

Status status(ConstBytes row) { return get<RowEnd>(row, row.size() - sizeof(RowEnd)).status; }

void seal(const RowType& type, Bytes row) {
    for (const auto& column : type.columns)
        if (column.type == Scalar::f64 && std::isnan(get<double>(row, column.offset)))
            put(row, column.offset, nan);
    set_check(row);
}

bool intact(ConstBytes row) {
    const auto end = row.size() - check_bytes;
    return get<std::uint32_t>(row, end) == checksum(row.first(end));
}

void make_unmeasured(const RowType& type, const Coordinates& where, Status status, Bytes row) {
    std::fill(row.begin(), row.end(), std::byte{0});
    for (const auto& column : type.columns)
        if (column.type == Scalar::f64) put(row, column.offset, nan);
    put(row, 0, where);
    put(row, row.size() - sizeof(RowEnd), RowEnd{.status = status});
    set_check(row);
}

RecordLayout::RecordLayout(const RowType& row, std::size_t rates, std::vector<Table> tables)
    : row_(row), rates_(rates), tables_(std::move(tables)), offsets_{rows_bytes()} {
    for (const auto& table : tables_)
        offsets_.push_back(offsets_.back() + table.rows * table.columns * sizeof(double));
}

void make_unmeasured(const RecordLayout& layout, Coordinates network, std::span<const double> etas,
                     Status status, Bytes record) {
    for (std::size_t k = 0; k < etas.size(); ++k) {
        network.eta = etas[k];
        make_unmeasured(layout.row(), network, status, layout.row(record, k));
    }
    for (std::size_t i = 0; i < layout.tables().size(); ++i) fill_nan(layout.table(record, i));
}

std::uint32_t checksum(ConstBytes bytes) {
    return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

} // namespace etastar::trial

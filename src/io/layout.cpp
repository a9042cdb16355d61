#include "layout.hpp"

#include <algorithm>
#include <bit>
#include <string>

namespace etastar::io {

// Rows are written as they stand in memory.
static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

hdf5::Handle status_type(bool skips) {
    using trial::Status;
    hdf5::Handle type(H5Tenum_create(H5T_STD_U8LE), H5Tclose);
    const std::pair<const char*, Status> names[] = {{"pending", Status::pending},
                                                    {"done", Status::done},
                                                    {"nonfinite", Status::nonfinite},
                                                    {"failed", Status::failed}};
    for (const auto& [name, value] : names) H5Tenum_insert(type.get(), name, &value);
    const auto skipped = Status::skipped;
    if (skips) H5Tenum_insert(type.get(), "skipped", &skipped);
    return type;
}

} // namespace

std::uint64_t networks_at_once(const trial::RecordLayout& layout) {
    return std::max<std::uint64_t>(std::min(rows_at_once / layout.rates(), bytes_at_once / layout.bytes()),
                                   1);
}

hdf5::Handle row_type(const trial::RowType& row, bool skips) {
    const auto status = status_type(skips);
    const auto type_of = [&](trial::Scalar scalar) -> hid_t {
        switch (scalar) {
        case trial::Scalar::u32:
            return H5T_STD_U32LE;
        case trial::Scalar::u64:
            return H5T_STD_U64LE;
        case trial::Scalar::f64:
            return H5T_IEEE_F64LE;
        case trial::Scalar::status:
            break;
        }
        return status.get();
    };
    hdf5::Handle type(H5Tcreate(H5T_COMPOUND, row.bytes), H5Tclose);
    for (const auto& column : row.columns)
        H5Tinsert(type.get(), std::string(column.name).c_str(), column.offset, type_of(column.type));
    return type;
}

std::vector<Extent> DataMap::extents() const {
    std::vector<Extent> list{trials};
    for (const auto& table : tables) list.insert(list.end(), {table.values, table.checks});
    return list;
}

} // namespace etastar::io

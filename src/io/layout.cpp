#include "layout.hpp"

#include "etastar/sweep/trial.hpp"

#include <zlib.h>

#include <bit>
#include <cstddef>

namespace etastar::io {

// Rows are written as they stand in memory.
static_assert(std::endian::native == std::endian::little, "format 1 is little-endian");

hdf5::Handle trial_type() {
    using sweep::Status;
    using sweep::TrialRow;
    const hdf5::Handle status(H5Tenum_create(H5T_STD_U8LE), H5Tclose);
    const std::pair<const char*, Status> names[] = {{"pending", Status::pending},
                                                    {"done", Status::done},
                                                    {"nonfinite", Status::nonfinite},
                                                    {"failed", Status::failed}};
    for (const auto& [name, value] : names) H5Tenum_insert(status.get(), name, &value);

    hdf5::Handle type(H5Tcreate(H5T_COMPOUND, sizeof(TrialRow)), H5Tclose);
    const hdf5::Field fields[] = {
        {"width", offsetof(TrialRow, width), H5T_STD_U32LE},
        {"depth", offsetof(TrialRow, depth), H5T_STD_U32LE},
        {"seed", offsetof(TrialRow, seed), H5T_STD_U64LE},
        {"eta", offsetof(TrialRow, eta), H5T_IEEE_F64LE},
        {"target", offsetof(TrialRow, target), H5T_IEEE_F64LE},
        {"output", offsetof(TrialRow, output), H5T_IEEE_F64LE},
        {"output_after", offsetof(TrialRow, output_after), H5T_IEEE_F64LE},
        {"loss", offsetof(TrialRow, loss), H5T_IEEE_F64LE},
        {"loss_after", offsetof(TrialRow, loss_after), H5T_IEEE_F64LE},
        {"dz2_last", offsetof(TrialRow, dz2_last), H5T_IEEE_F64LE},
        {"dz2_max", offsetof(TrialRow, dz2_max), H5T_IEEE_F64LE},
        {"dz2_mean", offsetof(TrialRow, dz2_mean), H5T_IEEE_F64LE},
        {"response_last", offsetof(TrialRow, response_last), H5T_IEEE_F64LE},
        {"response_max", offsetof(TrialRow, response_max), H5T_IEEE_F64LE},
        {"response_mean", offsetof(TrialRow, response_mean), H5T_IEEE_F64LE},
        {"response_output", offsetof(TrialRow, response_output), H5T_IEEE_F64LE},
        {"status", offsetof(TrialRow, status), status.get()},
        {"check", offsetof(TrialRow, check), H5T_STD_U32LE},
    };
    for (const auto& field : fields) H5Tinsert(type.get(), field.name, field.offset, field.type);
    return type;
}

std::uint32_t profile_check(std::span<const double> row) {
    return static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(row.data()), row.size_bytes()));
}

} // namespace etastar::io

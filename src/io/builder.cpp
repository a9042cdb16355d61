#include "builder.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <limits>

namespace etastar::io {

namespace fs = std::filesystem;
using hdf5::Handle;

std::string hdf5_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

Builder::Builder(const fs::path& path, const fs::path& temporary) : path_(path) {
    file_ = owned(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, hdf5::unlocked_access().get()),
                  H5Fclose);
}

void Builder::write_head(const sweep::Spec& spec) {
    const std::uint32_t version[] = {format_major, format_minor};
    const std::uint8_t complete = 0;
    const auto json = sweep::to_json(spec);
    attribute(file_.get(), "filetype", file_type);
    attribute(file_.get(), "format_version", H5T_STD_U32LE, {2}, version);
    attribute(file_.get(), "spec", json);
    attribute(file_.get(), "spec_hash", sweep::hash(json));
    attribute(file_.get(), "complete", H5T_STD_U8LE, {}, &complete);
}

void Builder::write_provenance(const Provenance& provenance) {
    const auto where = group("provenance");
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const double seconds = std::chrono::duration<double>(now).count();
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    const auto text = [&](const char* name, const std::string& value) {
        attribute(where.get(), name, value);
    };
    text("version", provenance.version);
    text("git_revision", provenance.git_revision);
    text("host", provenance.host);
    attribute(where.get(), "ranks", H5T_NATIVE_UINT32, {}, &provenance.ranks);
    text("mpi", provenance.mpi);
    text("blas", provenance.blas);
    text("blas_core", provenance.blas_core);
    text("blas_core_chosen_by", provenance.blas_core_chosen_by);
    text("hdf5", hdf5_version());
    text("started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds))));
    attribute(where.get(), "started_unix", H5T_IEEE_F64LE, {}, &seconds);
    attribute(where.get(), "finished_unix", H5T_IEEE_F64LE, {}, &unknown);
    if (!provenance.shard.empty()) {
        text("shard", provenance.shard);
        text("shard_of", provenance.shard_of);
    }
    if (!provenance.merged_from.empty()) text("merged_from", provenance.merged_from);
}

void Builder::write_axes(const plan::Plan& plan) {
    const auto& spec = plan.spec();
    const auto etas = plan.etas();
    std::vector<std::uint64_t> seeds(spec.seeds);
    for (std::uint64_t i = 0; i < spec.seeds; ++i) seeds[i] = spec.first_seed + i;
    const auto axes = group("axes");
    const auto axis = [&](const char* name, hid_t type, const auto& list) {
        values(axes.get(), name, type, {list.size()}, list.data());
    };
    axis("width", H5T_STD_U32LE, spec.width);
    axis("depth", H5T_STD_U32LE, spec.depth);
    axis("seed", H5T_STD_U64LE, seeds);
    values(axes.get(), "eta", H5T_IEEE_F64LE, {spec.eta.size()}, spec.eta.data(),
           {"unit", std::string(name_of(spec.eta_unit))});
    values(axes.get(), "eta_absolute", H5T_IEEE_F64LE,
           {spec.width.size(), spec.depth.size(), spec.eta.size()}, etas.data(),
           {"unit_theory", plan.unit_theory()});
}

void Builder::write_data(const model::Data& data) {
    if (data.source != model::DataSource::file) return;
    const auto where = group("data");
    const auto& table = *data.table;
    values(where.get(), "x", H5T_IEEE_F64LE, {table.samples, table.input_dim}, table.x.data());
    values(where.get(), "y", H5T_IEEE_F64LE, {table.samples}, table.y.data());
}

DataMap Builder::reserve_data(const plan::Plan& plan, const trial::RecordLayout& layout) {
    DataMap map;
    map.trials =
        reserve(file_.get(), "trials", row_type(layout.row(), plan.spec().has_target()).get(), {plan.rows()});
    for (const auto& table : layout.tables()) {
        const auto where = group(std::string(table.group).c_str());
        const hsize_t rows = plan.networks() * table.rows;
        map.tables.push_back(
            {reserve(where.get(), std::string(table.name).c_str(), H5T_IEEE_F64LE, {rows, table.columns}),
             reserve(where.get(), "check", H5T_STD_U32LE, {rows})});
    }
    return map;
}

Handle Builder::group(const char* name) {
    return owned(H5Gcreate2(file_.get(), name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
}

void Builder::attribute(hid_t owner, const char* name, hid_t type, const Shape& shape, const void* value) {
    const Handle space = shape.empty() ? owned(H5Screate(H5S_SCALAR), H5Sclose) : simple(shape);
    Handle attr = owned(H5Acreate2(owner, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    require(H5Awrite(attr.get(), type, value) >= 0 && attr.close());
}

void Builder::attribute(hid_t owner, const char* name, const std::string& value) {
    const char* text = value.c_str();
    attribute(owner, name, hdf5::string_type().get(), {}, &text);
}

void Builder::values(hid_t group, const char* name, hid_t type, const Shape& shape, const void* data,
                     const Note& note) {
    Handle made = dataset(group, name, type, shape);
    require(H5Dwrite(made.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    if (!note.value.empty()) attribute(made.get(), note.name, note.value);
    require(made.close());
}

Extent Builder::reserve(hid_t group, const char* name, hid_t type, const Shape& shape) {
    Handle data = dataset(group, name, type, shape);
    const haddr_t offset = H5Dget_offset(data.get());
    const hsize_t bytes = H5Dget_storage_size(data.get());
    require(offset != HADDR_UNDEF && data.close());
    return {offset, bytes};
}

Handle Builder::simple(const Shape& shape) {
    return owned(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
}

Handle Builder::dataset(hid_t group, const char* name, hid_t type, const Shape& shape) {
    const Handle space = simple(shape);
    const Handle layout = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    require(H5Pset_layout(layout.get(), H5D_CONTIGUOUS) >= 0
            && H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY) >= 0
            && H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER) >= 0
            && H5Pset_obj_track_times(layout.get(), false) >= 0);
    return owned(H5Dcreate2(group, name, type, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                 H5Dclose);
}

Handle Builder::owned(hid_t id, Handle::Closer closer) {
    require(id >= 0);
    return {id, closer};
}

void Builder::require(bool success) {
    if (!success) hdf5::fail(path_, "create it");
}

} // namespace etastar::io

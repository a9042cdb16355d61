#include "builder.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <limits>
#include <numeric>

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
    attribute(where.get(), "threads", H5T_NATIVE_UINT32, {}, &provenance.threads);
    text("mpi", provenance.mpi);
    text("blas", provenance.blas);
    text("blas_core", provenance.blas_core);
    text("blas_core_chosen_by", provenance.blas_core_chosen_by);
    text("hdf5", hdf5_version());
    text("started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds))));
    attribute(where.get(), "started_unix", H5T_IEEE_F64LE, {}, &seconds);
    attribute(where.get(), "finished_unix", H5T_IEEE_F64LE, {}, &unknown);
    if (!provenance.data_file.empty()) text("data_file", provenance.data_file);
    if (!provenance.shard.empty()) {
        text("shard", provenance.shard);
        text("shard_of", provenance.shard_of);
    }
    if (!provenance.merged_from.empty()) text("merged_from", provenance.merged_from);
}

void Builder::write_axes(const plan::Plan& plan, const trial::RowType& row) {
    const auto& spec = plan.spec();
    const auto etas = plan.etas();
    std::vector<std::uint64_t> seeds(spec.seeds);
    for (std::uint64_t i = 0; i < spec.seeds; ++i) seeds[i] = spec.first_seed + i;
    const auto axes = group("axes");
    const auto axis = [&](const char* name, hid_t type, const auto& list) {
        scale(fmt::format("/axes/{}", name), type, list.size(), list.data(),
              {{"long_name", row.find(name)->meaning}, units()});
    };
    axis("width", H5T_STD_U32LE, spec.width);
    axis("depth", H5T_STD_U32LE, spec.depth);
    axis("seed", H5T_STD_U64LE, seeds);
    const bool absolute = spec.eta_unit == sweep::EtaUnit::absolute;
    scale("/axes/eta", H5T_IEEE_F64LE, spec.eta.size(), spec.eta.data(),
          {{"unit", name_of(spec.eta_unit)},
           {"long_name", absolute ? "base learning rate, absolute"
                                  : "base learning rate, in units of eta*_lin(n, L) of each width and depth"},
           units()});
    values("/axes/eta_absolute", H5T_IEEE_F64LE, {spec.width.size(), spec.depth.size(), spec.eta.size()},
           etas.data(), {"/axes/width", "/axes/depth", "/axes/eta"},
           {{"unit_theory", plan.unit_theory()}, {"long_name", row.find("eta")->meaning}, units()});
}

void Builder::write_data(const model::Data& data) {
    if (data.source != model::DataSource::file) return;
    const auto where = group("data");
    const auto& table = *data.table;
    dimension("/data/sample", table.samples);
    dimension("/data/input", table.input_dim);
    values("/data/x", H5T_IEEE_F64LE, {table.samples, table.input_dim}, table.x.data(),
           {"/data/sample", "/data/input"}, {{"long_name", "inputs x"}, units()});
    values("/data/y", H5T_IEEE_F64LE, {table.samples}, table.y.data(), {"/data/sample"},
           {{"long_name", "targets y"}, units()});
}

DataMap Builder::reserve_data(const plan::Plan& plan, const trial::RecordLayout& layout) {
    DataMap map;
    Notes columns{{"long_name", "one row per network and rate"}};
    for (const auto& column : layout.row().columns) columns.push_back({column.name.data(), column.meaning});
    dimension("/row", plan.rows());
    map.trials = reserve("/trials", row_type(layout.row(), plan.spec().has_target()).get(), {plan.rows()},
                         {"/row"}, columns);
    for (const auto& table : layout.tables()) {
        const auto path = [&](std::string_view name) { return fmt::format("/{}/{}", table.group, name); };
        const auto where = group(std::string(table.group).c_str());
        const hsize_t rows = plan.networks() * table.rows;
        const auto of_rows = table.per_rate ? "/row" : table.rows == 1 ? "/network" : path("row");
        if (std::find(scales_.begin(), scales_.end(), of_rows) == scales_.end()) dimension(of_rows, rows);
        std::vector<std::uint32_t> numbers(table.columns);
        std::iota(numbers.begin(), numbers.end(), table.first_column);
        scale(path(table.column), H5T_STD_U32LE, table.columns, numbers.data(),
              {{"long_name", table.column_meaning}, units()});
        map.tables.push_back({reserve(path(table.name), H5T_IEEE_F64LE, {rows, table.columns},
                                      {of_rows, path(table.column)}, {{"long_name", table.meaning}, units()}),
                              reserve(path("check"), H5T_STD_U32LE, {rows}, {of_rows},
                                      {{"long_name", "CRC-32 of each row"}, units()})});
    }
    return map;
}

void Builder::close() { require(attach_scales(file_.get(), scales_, dimensioned_) && file_.close()); }

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

void Builder::write_notes(hid_t owner, const Notes& notes) {
    for (const auto& [name, value] : notes)
        if (!value.empty()) attribute(owner, name, std::string(value));
}

void Builder::values(const std::string& path, hid_t type, const Shape& shape, const void* data,
                     const Scales& scales, const Notes& notes) {
    Handle made = dataset(path, type, shape, scales, notes);
    require(H5Dwrite(made.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0 && made.close());
}

void Builder::scale(const std::string& path, hid_t type, hsize_t size, const void* data, const Notes& notes) {
    values(path, type, {size}, data, {}, notes);
    scales_.push_back(path);
}

void Builder::dimension(const std::string& path, hsize_t size) {
    scales_.push_back(path);
    const Handle space = simple({size});
    const Handle layout = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    require(H5Pset_layout(layout.get(), H5D_CONTIGUOUS) >= 0
            && H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_LATE) >= 0
            && H5Pset_obj_track_times(layout.get(), false) >= 0);
    owned(H5Dcreate2(file_.get(), path.c_str(), H5T_STD_U8LE, space.get(), H5P_DEFAULT, layout.get(),
                     H5P_DEFAULT),
          H5Dclose);
}

Extent Builder::reserve(const std::string& path, hid_t type, const Shape& shape, const Scales& scales,
                        const Notes& notes) {
    Handle data = dataset(path, type, shape, scales, notes);
    const haddr_t offset = H5Dget_offset(data.get());
    const hsize_t bytes = H5Dget_storage_size(data.get());
    require(offset != HADDR_UNDEF && data.close());
    return {offset, bytes};
}

Handle Builder::simple(const Shape& shape) {
    return owned(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
}

Handle Builder::dataset(const std::string& path, hid_t type, const Shape& shape, const Scales& scales,
                        const Notes& notes) {
    const Handle space = simple(shape);
    const Handle layout = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    require(H5Pset_layout(layout.get(), H5D_CONTIGUOUS) >= 0
            && H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY) >= 0
            && H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER) >= 0
            && H5Pset_obj_track_times(layout.get(), false) >= 0);
    Handle made = owned(
        H5Dcreate2(file_.get(), path.c_str(), type, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
        H5Dclose);
    write_notes(made.get(), notes);
    if (!scales.empty()) dimensioned_.push_back({path, scales});
    return made;
}

Handle Builder::owned(hid_t id, Handle::Closer closer) {
    require(id >= 0);
    return {id, closer};
}

void Builder::require(bool success) {
    if (!success) hdf5::fail(path_, "create it");
}

} // namespace etastar::io

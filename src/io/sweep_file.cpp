#include "etastar/io/sweep_file.hpp"

#include "etastar/theory/cell_rates.hpp"

#include "hdf5.hpp"
#include "layout.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

namespace etastar::io {
namespace {

using hdf5::Handle;
using sweep::Spec;
using sweep::Status;
using sweep::TrialRow;
namespace fs = std::filesystem;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t rows_per_write = 1 << 15;

[[noreturn]] void fail_errno(const fs::path& path, const std::string& action) {
    throw FileError(fmt::format("{}: cannot {} ({})", path.string(), action, std::strerror(errno)));
}

// Adds structure to a file being created. Every failure names the final path, not the temporary one.
class Builder {
public:
    Builder(const fs::path& path, const fs::path& temporary) : path_(path) {
        file_ = owned(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, hdf5::unlocked_access().get()),
                      H5Fclose);
    }

    hid_t root() const { return file_.get(); }

    Handle group(const char* name) {
        return owned(H5Gcreate2(file_.get(), name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    }

    void attribute(hid_t owner, const char* name, hid_t type, const std::vector<hsize_t>& shape,
                   const void* value) {
        const Handle space = shape.empty() ? owned(H5Screate(H5S_SCALAR), H5Sclose) : simple(shape);
        Handle attr = owned(H5Acreate2(owner, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
        require(H5Awrite(attr.get(), type, value) >= 0 && attr.close());
    }

    void attribute(hid_t owner, const char* name, const std::string& value) {
        const char* text = value.c_str();
        attribute(owner, name, hdf5::string_type().get(), {}, &text);
    }

    template <class T>
    void axis(hid_t group, const char* name, hid_t type, const std::vector<T>& values,
              const std::string& unit = {}) {
        Handle data = dataset(group, name, type, {values.size()});
        require(H5Dwrite(data.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
        if (!unit.empty()) attribute(data.get(), "unit", unit);
        require(data.close());
    }

    // A contiguous dataset with its space allocated now, no fill written; returns its offset in the file.
    std::uint64_t reserve(hid_t group, const char* name, hid_t type, const std::vector<hsize_t>& shape) {
        Handle data = dataset(group, name, type, shape);
        const haddr_t offset = H5Dget_offset(data.get());
        require(offset != HADDR_UNDEF && data.close());
        return offset;
    }

    void close() { require(file_.close()); }

private:
    Handle simple(const std::vector<hsize_t>& shape) {
        return owned(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
    }

    Handle dataset(hid_t group, const char* name, hid_t type, const std::vector<hsize_t>& shape) {
        const Handle space = simple(shape);
        const Handle layout = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        require(H5Pset_layout(layout.get(), H5D_CONTIGUOUS) >= 0
                && H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY) >= 0
                && H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER) >= 0
                && H5Pset_obj_track_times(layout.get(), false) >= 0);
        return owned(H5Dcreate2(group, name, type, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                     H5Dclose);
    }

    Handle owned(hid_t id, Handle::Closer closer) {
        require(id >= 0);
        return Handle(id, closer);
    }

    void require(bool success) {
        if (!success) hdf5::fail(path_, "create it");
    }

    fs::path path_;
    Handle file_;
};

void build_provenance(Builder& builder, const Provenance& provenance) {
    const auto group = builder.group("provenance");
    const auto now = std::chrono::system_clock::now();
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const double unknown = nan;
    builder.attribute(group.get(), "version", provenance.version);
    builder.attribute(group.get(), "git_revision", provenance.git_revision);
    builder.attribute(group.get(), "host", provenance.host);
    builder.attribute(group.get(), "ranks", H5T_NATIVE_UINT32, {}, &provenance.ranks);
    builder.attribute(group.get(), "mpi", provenance.mpi);
    builder.attribute(group.get(), "blas", provenance.blas);
    builder.attribute(group.get(), "blas_core", provenance.blas_core);
    builder.attribute(group.get(), "hdf5", hdf5_version());
    builder.attribute(
        group.get(), "started",
        fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now))));
    builder.attribute(group.get(), "started_unix", H5T_IEEE_F64LE, {}, &seconds);
    builder.attribute(group.get(), "finished_unix", H5T_IEEE_F64LE, {}, &unknown);
}

// Removes the file unless it was given its final name.
class TemporaryFile {
public:
    explicit TemporaryFile(const fs::path& path)
        : path_(path.string() + fmt::format(".creating-{}", getpid())) {}
    ~TemporaryFile() {
        std::error_code ignored;
        if (!kept_) fs::remove(path_, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const fs::path& path() const { return path_; }

    void rename_to(const fs::path& final_path) {
        if (std::rename(path_.c_str(), final_path.c_str()) != 0) fail_errno(final_path, "create it");
        kept_ = true;
    }

private:
    fs::path path_;
    bool kept_ = false;
};

void sync_directory_of(const fs::path& path) {
    const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return; // some file systems have none to offer; the rename itself has happened
    ::fsync(descriptor);
    ::close(descriptor);
}

// Calls visit(row index, coordinates) for the whole grid in canonical order.
template <class Visit>
void for_each_row(const Spec& spec, Visit visit) {
    std::uint64_t row = 0;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            const auto rates = theory::cell_rates(spec, width, depth);
            for (std::uint64_t i = 0; i < spec.seeds; ++i)
                for (const double rate : rates) visit(row++, width, depth, spec.first_seed + i, rate);
        }
}

} // namespace

std::string hdf5_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

std::uint64_t file_bytes(const Spec& spec) {
    return spec.rows() * sizeof(TrialRow)
           + (spec.profile ? spec.networks() * spec.depth.back() * sizeof(double) : 0);
}

SweepFile SweepFile::create(const fs::path& name, const Spec& spec, const Provenance& provenance,
                            bool overwrite) {
    const hdf5::QuietErrors quiet;
    std::error_code error;
    const auto status = fs::status(name, error);
    if (fs::exists(status) && !fs::is_regular_file(status))
        throw FileError(fmt::format("{}: exists and is not a regular file", name.string()));
    if (fs::exists(fs::symlink_status(name, error)) && !overwrite)
        throw FileError(fmt::format("{}: exists already; --overwrite replaces it", name.string()));
    // Through a symbolic link, the file it points to is replaced, not the link.
    const auto path = fs::exists(status) ? fs::canonical(name) : name;

    TemporaryFile temporary(path);
    // Opened first for errno's sake: HDF5 tells less about a missing folder or a full disk.
    const int descriptor = ::open(temporary.path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) fail_errno(path, "create it");
    SweepFile file(path, descriptor);

    Builder builder(path, temporary.path());
    const std::uint32_t version[] = {format_major, format_minor};
    const std::uint8_t complete = 0;
    builder.attribute(builder.root(), "filetype", file_type);
    builder.attribute(builder.root(), "format_version", H5T_STD_U32LE, {2}, version);
    builder.attribute(builder.root(), "spec", to_json(spec));
    builder.attribute(builder.root(), "spec_hash", sweep::hash(to_json(spec)));
    builder.attribute(builder.root(), "complete", H5T_STD_U8LE, {}, &complete);
    build_provenance(builder, provenance);
    {
        const auto axes = builder.group("axes");
        std::vector<std::uint64_t> seeds(spec.seeds);
        for (std::uint64_t i = 0; i < spec.seeds; ++i) seeds[i] = spec.first_seed + i;
        builder.axis(axes.get(), "width", H5T_STD_U32LE, spec.width);
        builder.axis(axes.get(), "depth", H5T_STD_U32LE, spec.depth);
        builder.axis(axes.get(), "eta", H5T_IEEE_F64LE, spec.eta, std::string(name_of(spec.eta_unit)));
        builder.axis(axes.get(), "seed", H5T_STD_U64LE, seeds);
    }
    file.trials_offset_ = builder.reserve(builder.root(), "trials", trial_type().get(), {spec.rows()});
    if (spec.profile) {
        file.profile_columns_ = spec.depth.back();
        const auto group = builder.group("profile");
        file.profile_offset_ = builder.reserve(group.get(), "response", H5T_IEEE_F64LE,
                                               {spec.networks(), file.profile_columns_});
    }
    builder.close();

    std::vector<TrialRow> rows;
    std::uint64_t written = 0;
    const auto flush = [&] {
        file.write_rows(written, rows);
        written += rows.size();
        rows.clear();
    };
    for_each_row(
        spec, [&](std::uint64_t, std::uint32_t width, std::uint32_t depth, std::uint64_t seed, double rate) {
            rows.push_back(unmeasured_row(width, depth, seed, rate, Status::pending));
            if (rows.size() == rows_per_write) flush();
        });
    flush();
    if (spec.profile) {
        const std::vector<double> unknown(file.profile_columns_, nan);
        for (std::uint64_t i = 0; i < spec.networks(); ++i) file.write_profile(i, unknown);
    }
    file.sync();
    temporary.rename_to(path);
    sync_directory_of(path);
    return file;
}

SweepFile::Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

void SweepFile::write_at(std::uint64_t offset, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const auto count = ::pwrite(descriptor_.get(), bytes, size, static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_errno(path_, "write to it");
        bytes += count;
        offset += static_cast<std::uint64_t>(count);
        size -= static_cast<std::size_t>(count);
    }
}

void SweepFile::write_rows(std::uint64_t first_row, std::span<const TrialRow> rows) {
    write_at(trials_offset_ + first_row * sizeof(TrialRow), rows.data(), rows.size_bytes());
}

void SweepFile::write_profile(std::uint64_t network, std::span<const double> response) {
    write_at(profile_offset_ + network * profile_columns_ * sizeof(double), response.data(),
             response.size_bytes());
}

void SweepFile::sync() {
    if (::fsync(descriptor_.get()) != 0) fail_errno(path_, "write to it");
}

void SweepFile::mark_complete() {
    sync();
    const hdf5::QuietErrors quiet;
    const auto require = [this](bool success) {
        if (!success) hdf5::fail(path_, "mark it complete");
    };
    const auto access = hdf5::unlocked_access();
    Handle file(H5Fopen(path_.c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
    require(bool(file));
    const auto set = [&](const char* object, const char* name, hid_t type, const void* value) {
        // HDF5 1.10.8 cannot write to what H5Aopen_by_name opens; with the object held open it can.
        Handle owner(H5Oopen(file.get(), object, H5P_DEFAULT), H5Oclose);
        require(bool(owner));
        Handle attribute(H5Aopen(owner.get(), name, H5P_DEFAULT), H5Aclose);
        require(bool(attribute) && H5Awrite(attribute.get(), type, value) >= 0 && attribute.close()
                && owner.close());
    };
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::uint8_t complete = 1;
    set("/provenance", "finished_unix", H5T_NATIVE_DOUBLE, &now);
    set("/", "complete", H5T_NATIVE_UINT8, &complete);
    require(file.close());
    sync();
}

namespace {

class Reader {
public:
    explicit Reader(const fs::path& path) : path_(path) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) fail_errno(path, "open it");
        ::close(descriptor);
        // Outlives the call: closing it would clear the error of a failed open.
        const auto access = hdf5::unlocked_access();
        file_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
        if (!file_)
            throw FileError(
                fmt::format("{}: is not a readable HDF5 file ({})", path.string(), hdf5::last_error()));
    }

    std::string text(const char* name) {
        Handle attribute = open_attribute(name);
        const Handle type(H5Aget_type(attribute.get()), H5Tclose);
        if (!type || H5Tis_variable_str(type.get()) <= 0)
            damaged(fmt::format("attribute {} is not a string", name));
        char* value = nullptr;
        if (H5Aread(attribute.get(), type.get(), &value) < 0 || value == nullptr)
            hdf5::fail(path_, fmt::format("read {}", name));
        std::string copy(value);
        H5free_memory(value);
        return copy;
    }

    std::vector<std::uint32_t> integers(const char* name, std::size_t count) {
        Handle attribute = open_attribute(name);
        const Handle space(H5Aget_space(attribute.get()), H5Sclose);
        if (!space || H5Sget_simple_extent_npoints(space.get()) != static_cast<hssize_t>(count))
            damaged(fmt::format("attribute {} has the wrong shape", name));
        std::vector<std::uint32_t> values(count);
        if (H5Aread(attribute.get(), H5T_NATIVE_UINT32, values.data()) < 0)
            hdf5::fail(path_, fmt::format("read {}", name));
        return values;
    }

    std::vector<TrialRow> trials(std::uint64_t expected) {
        const Handle data(H5Dopen2(file_.get(), "trials", H5P_DEFAULT), H5Dclose);
        if (!data) hdf5::fail(path_, "open its trials");
        const Handle type(H5Dget_type(data.get()), H5Tclose);
        const Handle expected_type = trial_type();
        if (!type || H5Tequal(type.get(), expected_type.get()) <= 0)
            damaged("its trials have other fields than format 1");
        const Handle space(H5Dget_space(data.get()), H5Sclose);
        const auto count = H5Sget_simple_extent_npoints(space.get());
        if (H5Sget_simple_extent_ndims(space.get()) != 1 || count != static_cast<hssize_t>(expected))
            damaged(fmt::format("it has {} trials where its spec has {}", count, expected));
        std::vector<TrialRow> rows(expected);
        if (H5Dread(data.get(), expected_type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()) < 0)
            hdf5::fail(path_, "read its trials");
        return rows;
    }

    [[noreturn]] void damaged(const std::string& why) const {
        throw FileError(fmt::format("{}: is damaged: {}", path_.string(), why));
    }

    bool has_attribute(const char* name) { return H5Aexists(file_.get(), name) > 0; }

private:
    Handle open_attribute(const char* name) {
        Handle attribute(H5Aopen(file_.get(), name, H5P_DEFAULT), H5Aclose);
        if (!attribute) damaged(fmt::format("attribute {} is missing", name));
        return attribute;
    }

    fs::path path_;
    Handle file_;
};

} // namespace

analysis::TrialTable read_sweep_file(const fs::path& path) {
    const hdf5::QuietErrors quiet;
    Reader reader(path);
    if (!reader.has_attribute("filetype") || reader.text("filetype") != file_type)
        throw FileError(fmt::format("{}: is an HDF5 file, but not of type {}", path.string(), file_type));
    const auto version = reader.integers("format_version", 2);
    if (version[0] > format_major)
        throw FileError(fmt::format("{}: has format {}.{}; this program reads up to {}.x", path.string(),
                                    version[0], version[1], format_major));
    const auto spec = reader.text("spec");
    if (sweep::hash(spec) != reader.text("spec_hash")) reader.damaged("spec and spec_hash disagree");
    analysis::TrialTable table;
    try {
        table.spec = sweep::from_json(spec);
        for (const auto width : table.spec.width)
            for (const auto depth : table.spec.depth) theory::cell_rates(table.spec, width, depth);
    } catch (const UsageError& error) {
        reader.damaged(error.what());
    }
    table.complete = reader.integers("complete", 1)[0] != 0;
    table.rows = reader.trials(table.spec.rows());
    for_each_row(table.spec, [&](std::uint64_t i, std::uint32_t width, std::uint32_t depth,
                                 std::uint64_t seed, double rate) {
        auto& row = table.rows[i];
        // A rate may differ in its last digits where another version's theory set the unit of eta.
        const bool expected = row.width == width && row.depth == depth && row.seed == seed
                              && std::abs(row.eta / rate - 1) < 1e-9;
        if (expected && intact(row)) return;
        ++table.damaged;
        row = unmeasured_row(width, depth, seed, rate, Status::pending);
    });
    return table;
}

} // namespace etastar::io

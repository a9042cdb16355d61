#include "etastar/io/sweep_file.hpp"

#include "etastar/io/sweep_reader.hpp"
#include "etastar/theory/cell_rates.hpp"

#include "hdf5.hpp"
#include "layout.hpp"
#include "seal.hpp"
#include "system.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <limits>
#include <numeric>

namespace etastar::io {
namespace {

using hdf5::Handle;
using sweep::Spec;
using sweep::Status;
using sweep::TrialRow;
namespace fs = std::filesystem;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

double now_unix() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void build_provenance(Builder& builder, const Provenance& provenance) {
    const auto group = builder.group("provenance");
    const double seconds = now_unix();
    const double unknown = nan;
    builder.attribute(group.get(), "version", provenance.version);
    builder.attribute(group.get(), "git_revision", provenance.git_revision);
    builder.attribute(group.get(), "host", provenance.host);
    builder.attribute(group.get(), "ranks", H5T_NATIVE_UINT32, {}, &provenance.ranks);
    builder.attribute(group.get(), "mpi", provenance.mpi);
    builder.attribute(group.get(), "blas", provenance.blas);
    builder.attribute(group.get(), "blas_core", provenance.blas_core);
    builder.attribute(group.get(), "blas_core_chosen_by", provenance.blas_core_chosen_by);
    builder.attribute(group.get(), "hdf5", hdf5_version());
    builder.attribute(group.get(), "started",
                      fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds))));
    builder.attribute(group.get(), "started_unix", H5T_IEEE_F64LE, {}, &seconds);
    builder.attribute(group.get(), "finished_unix", H5T_IEEE_F64LE, {}, &unknown);
    if (!provenance.shard.empty()) {
        builder.attribute(group.get(), "shard", provenance.shard);
        builder.attribute(group.get(), "shard_of", provenance.shard_of);
    }
    if (!provenance.merged_from.empty())
        builder.attribute(group.get(), "merged_from", provenance.merged_from);
}

std::string temporary_prefix(const fs::path& path) { return path.filename().string() + ".creating-"; }

// What killed processes have left; the writer's alone to remove.
void remove_leftovers(const fs::path& path) {
    std::error_code error;
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& name : {temporary_prefix(path), path.filename().string() + ".sealing-"})
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
            if (entry->path().filename().string().starts_with(name)) {
                std::error_code ignored;
                fs::remove(entry->path(), ignored);
            }
}

void refuse_what_is_no_file(const fs::path& name) {
    std::error_code ignored;
    const auto status = fs::status(name, ignored);
    if (fs::exists(status) && !fs::is_regular_file(status))
        throw FileError(fmt::format("{}: exists and is not a regular file", name.string()));
}

void refuse_existing(const fs::path& name) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(name, ignored)))
        throw FileError(
            fmt::format("{}: exists already; `etastar sweep --resume` continues it, --overwrite replaces it",
                        name.string()));
}

void refuse_another_sweep(const fs::path& path, const Spec& wanted, const Spec& found) {
    std::string what;
    for (const auto& [field, here, there] : sweep::differences(wanted, found))
        what +=
            fmt::format("{}{} is {} there, {} is asked for", what.empty() ? "" : "; ", field, there, here);
    if (!what.empty()) throw FileError(fmt::format("{}: holds another sweep: {}", path.string(), what));
}

// The file behind a symbolic link: that is what is locked, replaced and written.
fs::path resolved(const fs::path& name) {
    std::error_code ignored;
    return fs::is_symlink(name, ignored) && fs::exists(name, ignored) ? fs::canonical(name) : name;
}

void sync_directory_of(const fs::path& path) {
    const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return; // some file systems have none to offer; the rename itself has happened
    ::fsync(descriptor);
    ::close(descriptor);
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

SweepFile SweepFile::leased(const fs::path& name) {
    refuse_what_is_no_file(name);
    const auto path = resolved(name);
    SweepFile file(path, Lease::acquire(path));
    remove_leftovers(path);
    return file;
}

SweepFile SweepFile::create(const fs::path& name, const Spec& spec, const Provenance& provenance,
                            bool overwrite) {
    refuse_what_is_no_file(name);
    if (!overwrite) refuse_existing(name);
    auto file = leased(name);
    if (!overwrite) refuse_existing(name); // now that nobody else can create it
    file.lay_out(spec, provenance);
    return file;
}

SweepFile SweepFile::open(const fs::path& name, const Spec& spec) {
    auto file = leased(name);
    file.read(spec);
    return file;
}

SweepFile SweepFile::open_or_create(const fs::path& name, const Spec& spec, const Provenance& provenance) {
    auto file = leased(name);
    // A link that points nowhere counts as a file.
    if (fs::exists(fs::symlink_status(name)))
        file.read(spec);
    else
        file.lay_out(spec, provenance);
    return file;
}

void SweepFile::lay_out(const Spec& spec, const Provenance& provenance) {
    const hdf5::QuietErrors quiet;
    TemporaryFile temporary(path_.parent_path() / (temporary_prefix(path_) + std::to_string(getpid())));
    // Opened first for errno's sake: HDF5 tells less about a missing folder or a full disk.
    descriptor_ = Descriptor(::open(temporary.path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!descriptor_) fail_errno(path_, "create it");
    claim_name(descriptor_.get(), path_);
    refuse_what_does_not_fit(descriptor_.get(), path_, file_bytes(spec));

    Builder builder(path_, temporary.path());
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
    trials_offset_ = builder.reserve(builder.root(), "trials", trial_type().get(), {spec.rows()});
    if (spec.profile) {
        profile_columns_ = spec.depth.back();
        const auto group = builder.group("profile");
        profile_offset_ =
            builder.reserve(group.get(), "response", H5T_IEEE_F64LE, {spec.networks(), profile_columns_});
        checks_offset_ = builder.reserve(group.get(), "check", H5T_STD_U32LE, {spec.networks()});
    }
    builder.close();
    seal(spec);

    std::vector<TrialRow> rows;
    std::uint64_t written = 0;
    const auto flush = [&] {
        lease_.check(); // a successor may be laying it out, too; and it takes long
        write_rows(written, rows);
        written += rows.size();
        rows.clear();
    };
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            const auto rates = theory::cell_rates(spec, width, depth);
            for (std::uint64_t i = 0; i < spec.seeds; ++i)
                for (const double rate : rates) {
                    rows.push_back(unmeasured_row(width, depth, spec.first_seed + i, rate, Status::pending));
                    if (rows.size() == rows_at_once) flush();
                }
        }
    flush();
    if (spec.profile) {
        for (std::uint64_t i = 0; i < spec.networks(); ++i) write_profile(i, {});
    }
    sync();
    lease_.check();
    temporary.rename_to(path_);
    sync_directory_of(path_);
    networks_left_.resize(spec.networks());
    std::iota(networks_left_.begin(), networks_left_.end(), std::uint64_t{0});
    is_new_ = true;
}

void SweepFile::read(const Spec& spec) {
    const hdf5::QuietErrors quiet;
    descriptor_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!descriptor_) fail_errno(path_, "write to it");
    claim_name(descriptor_.get(), path_);
    {
        SweepReader reader(path_);
        refuse_another_sweep(path_, spec, reader.spec());
        auto tally = reader.tally();
        networks_left_ = std::move(tally.left);
        damaged_ = tally.damaged;
        trials_offset_ = reader.trials_offset();
        profile_offset_ = reader.profile_offset();
        checks_offset_ = reader.checks_offset();
        profile_columns_ = spec.profile ? spec.depth.back() : 0;
    }
    seal(spec);
    if (!networks_left_.empty()) set_complete(false, nan);
}

void SweepFile::seal(const Spec& spec) {
    auto seal = read_seal(descriptor_.get(), path_);
    if (!seal)
        seal = add_seal(descriptor_.get(), path_,
                        {trials_offset_, spec.rows() * sizeof(TrialRow), profile_offset_,
                         spec.networks() * profile_columns_ * sizeof(double), checks_offset_,
                         spec.profile ? spec.networks() * sizeof(std::uint32_t) : 0});
    complete_offset_ = seal->complete_offset;
    finished_offset_ = seal->finished_offset;
    structure_bytes_ = seal->structure_bytes;
}

void SweepFile::check() {
    struct stat open_file = {};
    struct stat named = {};
    const bool is_open = ::fstat(descriptor_.get(), &open_file) == 0;
    if (::stat(path_.c_str(), &named) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            throw FileError(fmt::format("{}: was removed while the sweep ran", path_.string()));
    } else if (is_open && (open_file.st_dev != named.st_dev || open_file.st_ino != named.st_ino)) {
        throw FileError(fmt::format("{}: was replaced while the sweep ran", path_.string()));
    }
    // Also when HDF5, opened for writing, has cut off the seal.
    if (is_open && static_cast<std::uint64_t>(open_file.st_size) != structure_bytes_ + seal_bytes)
        throw FileError(
            fmt::format("{}: was changed by another program while the sweep ran", path_.string()));
    lease_.check();
}

void SweepFile::write_rows(std::uint64_t first_row, std::span<const TrialRow> rows) {
    write_at(descriptor_.get(), path_, trials_offset_ + first_row * sizeof(TrialRow), rows.data(),
             rows.size_bytes());
}

void SweepFile::write_profile(std::uint64_t network, std::span<const double> response) {
    std::vector<double> row(response.begin(), response.end());
    row.resize(profile_columns_, nan);
    const auto check = profile_check(row);
    write_at(descriptor_.get(), path_, profile_offset_ + network * row.size() * sizeof(double), row.data(),
             row.size() * sizeof(double));
    write_at(descriptor_.get(), path_, checks_offset_ + network * sizeof(check), &check, sizeof(check));
}

void SweepFile::write_networks(std::span<const FinishedNetwork> networks) {
    // The profile first.
    for (const auto& each : networks)
        if (!each.response.empty()) write_profile(each.network, each.response);
    std::vector<TrialRow> rows;
    for (auto first = networks.begin(); first != networks.end();) {
        const auto end = std::adjacent_find(
            first, networks.end(), [](const auto& a, const auto& b) { return b.network != a.network + 1; });
        const auto past = end == networks.end() ? end : end + 1;
        rows.clear();
        rows.reserve(static_cast<std::size_t>(past - first) * first->rows.size());
        for (auto each = first; each != past; ++each)
            rows.insert(rows.end(), each->rows.begin(), each->rows.end());
        write_rows(first->network * first->rows.size(), rows);
        first = past;
    }
}

void SweepFile::sync() {
    if (::fsync(descriptor_.get()) != 0) fail_errno(path_, "write to it");
}

void SweepFile::set_complete(bool complete, double finished) {
    const std::uint8_t flag = complete ? 1 : 0;
    write_at(descriptor_.get(), path_, finished_offset_, &finished, sizeof(finished));
    write_at(descriptor_.get(), path_, complete_offset_, &flag, sizeof(flag));
}

void SweepFile::mark_complete() {
    sync();
    check();
    set_complete(true, now_unix());
    sync();
}

} // namespace etastar::io

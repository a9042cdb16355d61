#include "etastar/io/sweep_reader.hpp"

#include "etastar/io/descriptor.hpp"
#include "etastar/theory/cell_rates.hpp"

#include "crash_guard.hpp"
#include "hdf5.hpp"
#include "layout.hpp"
#include "seal.hpp"
#include "system.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace etastar::io {
namespace {

using hdf5::Handle;
using sweep::Spec;
using sweep::Status;
using sweep::TrialRow;
namespace fs = std::filesystem;

// Calls visit(network, its rows) in canonical order.
template <class Visit>
void for_each_network(SweepReader& reader, Visit visit) {
    const auto& spec = reader.spec();
    const std::uint64_t rates = spec.eta.size();
    const std::uint64_t at_once = std::max<std::uint64_t>(rows_at_once / rates, 1);
    std::vector<TrialRow> rows;
    for (std::uint64_t first = 0; first < spec.networks(); first += at_once) {
        const auto count = std::min(at_once, spec.networks() - first);
        rows.resize(count * rates);
        reader.read_rows(first * rates, rows);
        for (std::uint64_t i = 0; i < count; ++i)
            visit(first + i, std::span<const TrialRow>(&rows[i * rates], rates));
    }
}

// Equal to the last bit, NaN being equal to NaN.
bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

} // namespace

struct SweepReader::Implementation {
    explicit Implementation(const fs::path& path) : path_(path) {
        // A pipe would wait for its other end.
        const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        if (!descriptor) fail_errno(path, "open it");
        if (fs::is_directory(path)) throw FileError(fmt::format("{}: is a directory", path.string()));
        if (!fs::is_regular_file(path))
            throw FileError(fmt::format("{}: is not a regular file", path.string()));
        const bool sealed = read_seal(descriptor.get(), path).has_value();
        if (!sealed) guard_.emplace(path);
        std::optional<HangGuard> hang_guard(std::in_place);
        // Outlives the call: closing it would clear the error of a failed open.
        const auto access = hdf5::unlocked_access();
        file_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
        if (!file_)
            throw FileError(
                fmt::format("{}: is not a readable HDF5 file ({})", path.string(), hdf5::last_error()));
        if (!sealed) refuse_remains(fs::file_size(path));
        read_head();
        open_trials();
        if (spec_.profile) open_profile();
        hang_guard.reset();
        require_rates();
    }

    void read_rows(std::uint64_t first_row, std::span<TrialRow> rows) {
        const hdf5::QuietErrors quiet;
        for (std::size_t i = 0; i < rows.size(); i += rows_at_once)
            read_few_rows(first_row + i, rows.subspan(i, std::min(rows_at_once, rows.size() - i)));
        for (std::size_t i = 0; i < rows.size(); ++i) check(first_row + i, rows[i]);
    }

    void read_few_rows(std::uint64_t first_row, std::span<TrialRow> rows) {
        const HangGuard hang_guard;
        const hsize_t start[] = {first_row};
        const hsize_t count[] = {rows.size()};
        const Handle all(H5Dget_space(trials_.get()), H5Sclose);
        const Handle memory(H5Screate_simple(1, count, nullptr), H5Sclose);
        if (H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, start, nullptr, count, nullptr) < 0
            || H5Dread(trials_.get(), type_.get(), memory.get(), all.get(), H5P_DEFAULT, rows.data()) < 0)
            hdf5::fail(path_, "read its trials");
    }

    // A rate may differ in its last digits where another version's theory set the unit of eta.
    void check(std::uint64_t index, TrialRow& row) {
        const auto id = spec_.network(index / spec_.eta.size());
        const double rate = expected_rate(index);
        if (row.width == id.width && row.depth == id.depth && row.seed == id.seed
            && std::abs(row.eta / rate - 1) < 1e-9 && intact(row) && row.status <= Status::failed)
            return;
        ++damaged_;
        row = unmeasured_row(id.width, id.depth, id.seed, rate, Status::pending);
    }

    double expected_rate(std::uint64_t index) {
        const std::uint64_t cell = index / spec_.eta.size() / spec_.seeds;
        if (cell != cell_) {
            rates_ = theory::cell_rates(spec_, spec_.width[cell / spec_.depth.size()],
                                        spec_.depth[cell % spec_.depth.size()]);
            cell_ = cell;
        }
        return rates_[index % spec_.eta.size()];
    }

    std::vector<double> read_profile(std::uint64_t network) {
        const hdf5::QuietErrors quiet;
        std::vector<double> values(spec_.depth.back());
        std::uint32_t expected = 0;
        const HangGuard hang_guard;
        read_one(profile_, {network, 0}, {1, values.size()}, H5T_IEEE_F64LE, values.data());
        read_one(checks_, {network}, {1}, H5T_STD_U32LE, &expected);
        if (profile_check(values) != expected) values.clear();
        return values;
    }

    void read_one(const Handle& data, const std::vector<hsize_t>& start, const std::vector<hsize_t>& count,
                  hid_t type, void* out) {
        const Handle all(H5Dget_space(data.get()), H5Sclose);
        const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                            H5Sclose);
        if (H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0
            || H5Dread(data.get(), type, memory.get(), all.get(), H5P_DEFAULT, out) < 0)
            hdf5::fail(path_, "read its profile");
    }

    // A crash may leave a network's rows on disk and its profile not: then the last layers differ.
    bool profile_matches(std::uint64_t network, const TrialRow& row) {
        const auto values = read_profile(network);
        return !values.empty() && same(values[row.depth - 1], row.response_last);
    }

    std::string text(hid_t owner, const char* name) const {
        const Handle attribute = open_attribute(owner, name);
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

    // First, for it guards HDF5's closing of the others, too.
    std::optional<CrashGuard> guard_;
    fs::path path_;
    Handle file_;
    Handle trials_;
    Handle profile_;
    Handle checks_;
    Handle type_ = trial_type();
    Spec spec_;
    bool complete_ = false;
    std::uint64_t damaged_ = 0;
    std::uint64_t cell_ = std::numeric_limits<std::uint64_t>::max(); // whose rates are in rates_
    std::vector<double> rates_;

    std::uint64_t offset_of(const Handle& data) const {
        const haddr_t offset = H5Dget_offset(data.get());
        if (offset == HADDR_UNDEF)
            throw FileError(fmt::format("{}: its rows are not contiguous, as another program wrote them: it "
                                        "can be read, not continued",
                                        path_.string()));
        return offset;
    }

    [[noreturn]] void damaged(const std::string& why) const {
        throw FileError(fmt::format("{}: is damaged: {}", path_.string(), why));
    }

private:
    // HDF5 cuts off what follows its part; what is neither that nor a seal is what is left of one.
    void refuse_remains(std::uint64_t size) {
        haddr_t end = 0;
        if (H5Fget_eoa(file_.get(), &end) < 0) hdf5::fail(path_, "read it");
        if (size != end)
            damaged(fmt::format("it has {} bytes; {} would be whole, with or without a seal after them", size,
                                end));
    }

    void read_head() {
        if (H5Aexists(file_.get(), "filetype") <= 0 || text(file_.get(), "filetype") != file_type)
            throw FileError(
                fmt::format("{}: is an HDF5 file, but not of type {}", path_.string(), file_type));
        const auto version = integers("format_version", 2);
        if (version[0] > format_major)
            throw FileError(fmt::format("{}: has format {}.{}; this program reads up to {}.x", path_.string(),
                                        version[0], version[1], format_major));
        const auto json = text(file_.get(), "spec");
        if (sweep::hash(json) != text(file_.get(), "spec_hash")) damaged("spec and spec_hash disagree");
        try {
            spec_ = sweep::from_json(json);
        } catch (const UsageError& error) {
            damaged(error.what());
        }
        const auto complete = integers("complete", 1)[0];
        if (complete > 1) damaged(fmt::format("attribute complete is {}", complete));
        complete_ = complete == 1;
    }

    void require_rates() const {
        try {
            for (const auto width : spec_.width)
                for (const auto depth : spec_.depth) theory::cell_rates(spec_, width, depth);
        } catch (const UsageError& error) {
            damaged(error.what());
        }
    }

    void open_trials() {
        trials_ = Handle(H5Dopen2(file_.get(), "trials", H5P_DEFAULT), H5Dclose);
        if (!trials_) hdf5::fail(path_, "open its trials");
        require_own(trials_);
        const Handle type(H5Dget_type(trials_.get()), H5Tclose);
        if (!type || H5Tequal(type.get(), type_.get()) <= 0)
            damaged("its trials have other fields than format 1");
        const Handle space(H5Dget_space(trials_.get()), H5Sclose);
        const auto count = H5Sget_simple_extent_npoints(space.get());
        if (H5Sget_simple_extent_ndims(space.get()) != 1 || count != static_cast<hssize_t>(spec_.rows()))
            damaged(fmt::format("it has {} trials where its spec has {}", count, spec_.rows()));
    }

    void open_profile() {
        profile_ = Handle(H5Dopen2(file_.get(), "profile/response", H5P_DEFAULT), H5Dclose);
        if (!profile_) hdf5::fail(path_, "open its profile");
        require_own(profile_);
        const Handle space(H5Dget_space(profile_.get()), H5Sclose);
        hsize_t shape[2] = {0, 0};
        if (H5Sget_simple_extent_ndims(space.get()) != 2
            || H5Sget_simple_extent_dims(space.get(), shape, nullptr) != 2 || shape[0] != spec_.networks()
            || shape[1] != spec_.depth.back())
            damaged("its profile has not the shape that its spec has");
        checks_ = Handle(H5Dopen2(file_.get(), "profile/check", H5P_DEFAULT), H5Dclose);
        if (!checks_) hdf5::fail(path_, "open its profile's checksums");
        require_own(checks_);
        const Handle line(H5Dget_space(checks_.get()), H5Sclose);
        if (H5Sget_simple_extent_ndims(line.get()) != 1
            || H5Sget_simple_extent_npoints(line.get()) != static_cast<hssize_t>(spec_.networks()))
            damaged("its profile's checksums are not one for each network");
    }

    // An external link leads to another file's data.
    void require_own(const Handle& data) const {
        const auto name_of = [](hid_t object) {
            std::string name(4096, '\0');
            const auto size = H5Fget_name(object, name.data(), name.size());
            name.resize(size > 0 ? std::min(static_cast<std::size_t>(size), name.size()) : 0);
            return name;
        };
        if (name_of(data.get()) != name_of(file_.get())) damaged("its data are in another file");
    }

    std::vector<std::uint32_t> integers(const char* name, std::size_t count) const {
        const Handle attribute = open_attribute(file_.get(), name);
        const Handle space(H5Aget_space(attribute.get()), H5Sclose);
        if (!space || H5Sget_simple_extent_npoints(space.get()) != static_cast<hssize_t>(count))
            damaged(fmt::format("attribute {} has the wrong shape", name));
        std::vector<std::uint32_t> values(count);
        if (H5Aread(attribute.get(), H5T_NATIVE_UINT32, values.data()) < 0)
            hdf5::fail(path_, fmt::format("read {}", name));
        return values;
    }

    Handle open_attribute(hid_t owner, const char* name) const {
        Handle attribute(H5Aopen(owner, name, H5P_DEFAULT), H5Aclose);
        if (!attribute) damaged(fmt::format("attribute {} is missing", name));
        return attribute;
    }
};

SweepReader::SweepReader(const fs::path& path) {
    const hdf5::QuietErrors quiet;
    implementation_ = std::make_unique<Implementation>(path);
}
SweepReader::~SweepReader() = default;
SweepReader::SweepReader(SweepReader&&) noexcept = default;
SweepReader& SweepReader::operator=(SweepReader&&) noexcept = default;

const Spec& SweepReader::spec() const { return implementation_->spec_; }
bool SweepReader::complete() const { return implementation_->complete_; }
std::uint64_t SweepReader::damaged() const { return implementation_->damaged_; }

void SweepReader::read_rows(std::uint64_t first_row, std::span<TrialRow> rows) {
    implementation_->read_rows(first_row, rows);
}

std::vector<double> SweepReader::read_profile(std::uint64_t network) {
    return implementation_->read_profile(network);
}

std::string SweepReader::provenance(const char* name) const {
    const hdf5::QuietErrors quiet;
    const HangGuard hang_guard;
    const Handle group(H5Gopen2(implementation_->file_.get(), "provenance", H5P_DEFAULT), H5Gclose);
    if (!group || H5Aexists(group.get(), name) <= 0) return {};
    return implementation_->text(group.get(), name);
}

Tally SweepReader::tally() {
    auto& reader = *implementation_;
    const auto damaged_before = reader.damaged_;
    Tally result;
    for_each_network(*this, [&](std::uint64_t network, std::span<const TrialRow> rows) {
        bool pending = false;
        bool failed = false;
        bool current = true;
        for (std::size_t k = 0; k < rows.size(); ++k) {
            pending = pending || rows[k].status == Status::pending;
            failed = failed || rows[k].status == Status::failed;
            current = current && rows[k].eta == reader.expected_rate(network * rows.size() + k);
        }
        if (!pending && !failed && spec().profile && !reader.profile_matches(network, rows.front())) {
            pending = true;
            ++result.damaged;
        }
        ++(pending ? result.pending : failed ? result.failed : result.finished);
        if (pending || failed || !current) result.left.push_back(network);
    });
    result.damaged += reader.damaged_ - damaged_before;
    return result;
}

std::uint64_t SweepReader::trials_offset() const {
    return implementation_->offset_of(implementation_->trials_);
}

std::uint64_t SweepReader::profile_offset() const {
    return spec().profile ? implementation_->offset_of(implementation_->profile_) : 0;
}

std::uint64_t SweepReader::checks_offset() const {
    return spec().profile ? implementation_->offset_of(implementation_->checks_) : 0;
}

analysis::TrialTable read_sweep_file(const fs::path& path) {
    SweepReader reader(path);
    analysis::TrialTable table;
    table.spec = reader.spec();
    table.complete = reader.complete();
    table.rows.resize(table.spec.rows());
    reader.read_rows(0, table.rows);
    table.damaged = reader.damaged();
    return table;
}

} // namespace etastar::io

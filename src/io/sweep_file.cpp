#include "etastar/io/sweep_file.hpp"

#include "etastar/error.hpp"
#include "etastar/io/sweep_reader.hpp"

#include "builder.hpp"
#include "hdf5.hpp"
#include "layout.hpp"
#include "path.hpp"
#include "seal.hpp"
#include "system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <numeric>

namespace etastar::io {
namespace {

using sweep::Spec;
namespace fs = std::filesystem;

double now_unix() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Of a user's examples, which a spec names by what is computed of their values.
bool is_of_file(const Spec& spec) { return spec.training.data.source == model::DataSource::file; }

void refuse_another_sweep(const fs::path& path, const Spec& wanted, const Spec& found,
                          const std::string& shard) {
    constexpr std::size_t most_told = 4;
    std::string what;
    std::size_t told = 0;
    const auto differences = sweep::differences(wanted, found);
    const bool files = is_of_file(wanted) && is_of_file(found);
    for (const auto& [field, here, there] : differences) {
        if (told++ == most_told) break;
        if (!what.empty()) what += "; ";
        what += field == "data" && files ? "data has other values than those that the sweep began with"
                                         : fmt::format("{} is {} there, {} is asked for", field, there, here);
    }
    if (differences.size() > most_told) what += fmt::format("; and {} more", differences.size() - most_told);
    if (!shard.empty()) what += fmt::format("; it is shard {} of a sweep", shard);
    if (!differences.empty())
        throw FileError(
            fmt::format("{}: holds another sweep, which --resume alone continues: {}", path.string(), what));
}

} // namespace

std::uint64_t file_bytes(const Spec& spec, const trial::Kind& kind) {
    const auto& data = spec.training.data.table;
    const auto examples = data ? (data->x.size() + data->y.size()) * sizeof(double) : 0;
    const auto layout = kind.layout(spec);
    std::uint64_t columns = 0; // of tables, and their numbers
    for (const auto& table : layout.tables()) columns += table.columns * sizeof(std::uint32_t);
    return spec.networks() * layout.bytes() + columns + examples;
}

SweepFile::SweepFile(fs::path path, Lease lease)
    : path_(std::move(path)), lease_(std::move(lease)), map_(std::make_unique<DataMap>()) {}
SweepFile::SweepFile(SweepFile&&) noexcept = default;
SweepFile& SweepFile::operator=(SweepFile&&) noexcept = default;
SweepFile::~SweepFile() = default;

SweepFile SweepFile::leased(const fs::path& name) {
    refuse_what_is_no_file(name);
    const auto path = resolved(name);
    SweepFile file(path, Lease::acquire(path));
    remove_leftovers(path);
    return file;
}

SweepFile SweepFile::create(const fs::path& name, const plan::Plan& plan, const Provenance& provenance,
                            bool overwrite, Kinds kinds) {
    refuse_what_is_no_file(name);
    if (!overwrite) refuse_existing(name);
    auto file = leased(name);
    if (!overwrite) refuse_existing(name); // now that nobody else can create it
    file.lay_out(plan, provenance, kinds);
    return file;
}

SweepFile SweepFile::open(const fs::path& name, const Spec& spec, Kinds kinds) {
    auto file = leased(name);
    file.read(spec, kinds);
    return file;
}

SweepFile SweepFile::open_or_create(const fs::path& name, const plan::Plan& plan,
                                    const Provenance& provenance, Kinds kinds) {
    auto file = leased(name);
    // A link that points nowhere counts as a file.
    if (fs::exists(fs::symlink_status(name)))
        file.read(plan.spec(), kinds);
    else
        file.lay_out(plan, provenance, kinds);
    return file;
}

void SweepFile::lay_out(const plan::Plan& plan, const Provenance& provenance, Kinds kinds) {
    const hdf5::QuietErrors quiet;
    plan_ = plan;
    const auto& kind = trial::find_kind(plan.spec().trial, kinds);
    layout_ = kind.layout(plan.spec());
    TemporaryFile temporary(path_.parent_path() / (creating_prefix(path_) + std::to_string(getpid())));
    // Opened first for errno's sake: HDF5 tells less about a missing folder or a full disk.
    descriptor_ = Descriptor(::open(temporary.path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!descriptor_) fail_errno(path_, "create it");
    claim_name(descriptor_.get(), path_);
    refuse_what_does_not_fit(descriptor_.get(), path_, file_bytes(plan.spec(), kind));

    Builder builder(path_, temporary.path());
    builder.write_head(plan.spec());
    builder.write_provenance(provenance);
    builder.write_axes(plan, layout_->row());
    builder.write_data(plan.spec().training.data);
    *map_ = builder.reserve_data(plan, *layout_);
    builder.close();
    seal();

    write_pending_rows();
    sync();
    lease_.check();
    temporary.rename_to(path_);
    sync_directory_of(path_);
    networks_left_.resize(plan.networks());
    std::iota(networks_left_.begin(), networks_left_.end(), std::uint64_t{0});
    is_new_ = true;
}

void SweepFile::write_pending_rows() {
    const auto at_once = networks_at_once(*layout_);
    std::vector<std::byte> records(std::min(at_once, plan_->networks()) * layout_->bytes());
    for (std::uint64_t first = 0; first < plan_->networks(); first += at_once) {
        lease_.check(); // a successor may be laying it out, too; and it takes long
        std::vector<FinishedNetwork> networks(std::min(at_once, plan_->networks() - first));
        for (std::uint64_t i = 0; i < networks.size(); ++i) {
            const auto record = trial::Bytes(records).subspan(i * layout_->bytes(), layout_->bytes());
            trial::make_unmeasured(*layout_, *plan_, first + i, trial::Status::pending, record);
            networks[i] = {first + i, record};
        }
        write_networks(networks);
    }
}

void SweepFile::read(const Spec& spec, Kinds kinds) {
    const hdf5::QuietErrors quiet;
    descriptor_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!descriptor_) fail_errno(path_, "write to it");
    claim_name(descriptor_.get(), path_);
    {
        SweepReader reader(path_, kinds);
        refuse_another_sweep(path_, spec, reader.plan().spec(), reader.provenance("shard"));
        plan_ = reader.plan();
        layout_ = reader.layout();
        auto tally = reader.tally();
        networks_left_ = std::move(tally.left);
        networks_skipped_ = tally.skipped;
        damaged_rows_ = tally.damaged;
        *map_ = reader.data_map();
        // A seal vouches for all that readers look at.
        reader.provenance();
    }
    seal();
    if (!networks_left_.empty()) set_complete(false, std::numeric_limits<double>::quiet_NaN());
}

void SweepFile::seal() {
    auto seal = read_seal(descriptor_.get(), path_);
    if (!seal) seal = add_seal(descriptor_.get(), path_, map_->extents());
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

// Values before their checks.
void SweepFile::write_table(std::size_t index, const FinishedNetwork& network) {
    const auto& table = layout_->tables()[index];
    const auto& where = map_->tables[index];
    const auto values = layout_->table(network.record, index);
    const auto row_bytes = table.columns * sizeof(double);
    std::vector<std::uint32_t> checks(table.rows);
    for (std::uint64_t i = 0; i < table.rows; ++i)
        checks[i] = trial::checksum(values.subspan(i * row_bytes, row_bytes));
    write_at(descriptor_.get(), path_, where.values.offset + network.network * values.size(), values.data(),
             values.size());
    const auto bytes = checks.size() * sizeof(checks[0]);
    write_at(descriptor_.get(), path_, where.checks.offset + network.network * bytes, checks.data(), bytes);
}

void SweepFile::write_rows(std::uint64_t first_network, trial::ConstBytes rows) {
    write_at(descriptor_.get(), path_, map_->trials.offset + first_network * layout_->rows_bytes(),
             rows.data(), rows.size());
}

void SweepFile::write_networks(std::span<const FinishedNetwork> networks) {
    // Tables first: rows say that the network is done.
    for (const auto& each : networks)
        for (std::size_t i = 0; i < layout_->tables().size(); ++i) write_table(i, each);
    std::vector<std::byte> rows;
    for (auto first = networks.begin(); first != networks.end();) {
        const auto end = std::adjacent_find(
            first, networks.end(), [](const auto& a, const auto& b) { return b.network != a.network + 1; });
        const auto past = end == networks.end() ? end : end + 1;
        rows.clear();
        rows.reserve(static_cast<std::size_t>(past - first) * layout_->rows_bytes());
        for (auto each = first; each != past; ++each) {
            const auto part = layout_->rows(each->record);
            rows.insert(rows.end(), part.begin(), part.end());
        }
        write_rows(first->network, rows);
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

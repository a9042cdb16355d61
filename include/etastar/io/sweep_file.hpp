#pragma once

#include "etastar/io/descriptor.hpp"
#include "etastar/io/lease.hpp"
#include "etastar/io/provenance.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/kind.hpp"
#include "etastar/trial/record.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace etastar::io {

// Bytes of a sweep's file but for a few kilobytes of structure.
std::uint64_t file_bytes(const sweep::Spec& spec, const trial::Kind& kind);

// A network and its record (trial/record.hpp).
struct FinishedNetwork {
    std::uint64_t network = 0;
    trial::ConstBytes record;
};

struct DataMap; // where rows and tables stand in the file

// The output file of a sweep, docs/format.md, and the right to write it.
//
// HDF5 lays the file out once, under a temporary name: every dataset contiguous, allocated in full, every row
// written as pending and synchronised to disk before the file gets its name. From then on rows are only
// overwritten in place, at known offsets, with write(2). No structure ever changes, so any HDF5 reader can
// open the file at any moment, a crash can at worst tear a row (its checksum tells), and a full disk can only
// strike at creation.
//
// All members throw FileError naming the file and the cause.
class SweepFile {
public:
    using Kinds = std::span<const trial::Kind* const>;

    // Refuses an existing file unless `overwrite`, always what is not a regular file, and a file that another sweep
    // is writing.
    static SweepFile create(const std::filesystem::path& path, const plan::Plan& plan,
                            const Provenance& provenance, bool overwrite, Kinds kinds = trial::kinds());

    // An existing file, to be continued. Refuses the file of another spec, naming what differs, and one that
    // another sweep is writing.
    static SweepFile open(const std::filesystem::path& path, const sweep::Spec& spec,
                          Kinds kinds = trial::kinds());

    // One or the other, whichever it takes once nobody else writes.
    static SweepFile open_or_create(const std::filesystem::path& path, const plan::Plan& plan,
                                    const Provenance& provenance, Kinds kinds = trial::kinds());

    SweepFile(SweepFile&&) noexcept;
    SweepFile& operator=(SweepFile&&) noexcept;
    ~SweepFile();

    bool is_new() const { return is_new_; }

    // The file's own: its rates are what counts where another version of theory would set others.
    const plan::Plan& plan() const { return *plan_; }
    const trial::RecordLayout& layout() const { return *layout_; }

    // Networks that are neither finished nor skipped: pending, failed, torn or damaged rows. Ascending.
    const std::vector<std::uint64_t>& networks_left() const { return networks_left_; }

    // Those that open() found skipped.
    std::uint64_t networks_skipped() const { return networks_skipped_; }

    // Rows, of /trials or of tables, that open() found torn or damaged.
    std::uint64_t damaged_rows() const { return damaged_rows_; }

    // In ascending order; the rows of neighbours in one go. They reach the kernel before this returns. A network whose
    // rows say that it is done is whole, whenever the process dies.
    void write_networks(std::span<const FinishedNetwork> networks);

    // That this process is still the file's writer and the file still where it was. To be called every second.
    void check();

    // For those who ask how far the sweep is.
    void tell(const Advance& advance) { lease_.tell(advance); }

    // To the disk. May be called while another thread writes.
    void sync();

    // Synchronises and checks, then records that every row is final.
    void mark_complete();

private:
    SweepFile(std::filesystem::path path, Lease lease);
    static SweepFile leased(const std::filesystem::path& name);
    void lay_out(const plan::Plan& plan, const Provenance& provenance, Kinds kinds);
    void write_pending_rows();
    void read(const sweep::Spec& spec, Kinds kinds);
    void write_table(std::size_t table, const FinishedNetwork& network);
    void write_rows(std::uint64_t first_network, trial::ConstBytes rows);
    void set_complete(bool complete, double finished);
    void seal();

    std::filesystem::path path_;
    Lease lease_;
    std::optional<plan::Plan> plan_;
    std::optional<trial::RecordLayout> layout_;
    Descriptor descriptor_;
    std::unique_ptr<DataMap> map_;
    std::uint64_t structure_bytes_ = 0; // of HDF5's part
    std::uint64_t complete_offset_ = 0;
    std::uint64_t finished_offset_ = 0;
    bool is_new_ = false;
    std::vector<std::uint64_t> networks_left_;
    std::uint64_t networks_skipped_ = 0;
    std::uint64_t damaged_rows_ = 0;
};

} // namespace etastar::io

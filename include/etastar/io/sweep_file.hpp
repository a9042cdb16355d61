#pragma once

#include "etastar/io/descriptor.hpp"
#include "etastar/io/lease.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace etastar::io {

// Where and with what a sweep was run; group /provenance.
struct Provenance {
    std::string version;
    std::string git_revision;
    std::string host;
    std::uint32_t ranks = 1;
    std::string mpi;
    std::string blas;
    std::string blas_core; // results are reproducible to the bit for equal ones
    std::string blas_core_chosen_by;
    std::string shard;       // "3/16"; empty for a whole sweep
    std::string shard_of;    // spec of the whole sweep, JSON
    std::string merged_from; // files that were merged into this one, comma-separated; empty for a sweep
};

std::string hdf5_version();

// Bytes of a sweep's file but for a few kilobytes of structure.
std::uint64_t file_bytes(const sweep::Spec& spec);

// What a sweep's file keeps of a finished network.
struct FinishedNetwork {
    std::uint64_t network = 0;
    std::span<const sweep::TrialRow> rows; // one for each rate
    std::span<const double> response;      // G_l for l = 1..depth; empty if the file has no profile
};

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
    // Refuses an existing file unless `overwrite`, always what is not a regular file, and a file that another sweep
    // is writing.
    static SweepFile create(const std::filesystem::path& path, const sweep::Spec& spec,
                            const Provenance& provenance, bool overwrite);

    // An existing file, to be continued. Refuses the file of another spec, naming what differs, and one that
    // another sweep is writing.
    static SweepFile open(const std::filesystem::path& path, const sweep::Spec& spec);

    // One or the other, whichever it takes once nobody else writes.
    static SweepFile open_or_create(const std::filesystem::path& path, const sweep::Spec& spec,
                                    const Provenance& provenance);

    bool is_new() const { return is_new_; }

    // Networks that are not finished: pending, failed, torn or damaged rows. Ascending.
    const std::vector<std::uint64_t>& networks_left() const { return networks_left_; }

    // Rows, of /trials or the profile, that open() found torn or damaged.
    std::uint64_t damaged() const { return damaged_; }

    // Rows of /trials from first_row on. They reach the kernel before this returns.
    void write_rows(std::uint64_t first_row, std::span<const sweep::TrialRow> rows);

    // Row `network` of /profile/response, G_l for l = 1..depth, and its checksum.
    void write_profile(std::uint64_t network, std::span<const double> response);

    // In ascending order; the rows of neighbours in one go. A network whose rows say that it is done is whole,
    // whenever the process dies.
    void write_networks(std::span<const FinishedNetwork> networks);

    // That this process is still the file's writer and the file still where it was. To be called every second.
    void check();

    // To the disk. May be called while another thread writes.
    void sync();

    // Synchronises and checks, then records that every row is final.
    void mark_complete();

private:
    SweepFile(std::filesystem::path path, Lease lease) : path_(std::move(path)), lease_(std::move(lease)) {}
    static SweepFile leased(const std::filesystem::path& name);
    void lay_out(const sweep::Spec& spec, const Provenance& provenance);
    void read(const sweep::Spec& spec);
    void set_complete(bool complete, double finished);
    void seal(const sweep::Spec& spec);

    std::filesystem::path path_;
    Lease lease_;
    Descriptor descriptor_;
    std::uint64_t trials_offset_ = 0;
    std::uint64_t profile_offset_ = 0; // 0: no profile
    std::uint64_t profile_columns_ = 0;
    std::uint64_t checks_offset_ = 0;
    std::uint64_t structure_bytes_ = 0; // of HDF5's part
    std::uint64_t complete_offset_ = 0;
    std::uint64_t finished_offset_ = 0;
    bool is_new_ = false;
    std::vector<std::uint64_t> networks_left_;
    std::uint64_t damaged_ = 0;
};

} // namespace etastar::io

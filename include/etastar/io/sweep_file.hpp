#pragma once

#include "etastar/analysis/table.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace etastar::io {

inline constexpr const char* file_type = "etastar-sweep";
inline constexpr std::uint32_t format_major = 1;
inline constexpr std::uint32_t format_minor = 0;

// Where and with what a sweep was run; group /provenance.
struct Provenance {
    std::string version;
    std::string git_revision;
    std::string host;
    std::uint32_t ranks = 1;
    std::string mpi;
    std::string blas;
    std::string blas_core; // results are reproducible to the bit for equal ones
};

std::string hdf5_version();

// Bytes of a sweep's file but for a few kilobytes of structure.
std::uint64_t file_bytes(const sweep::Spec& spec);

// The output file of a sweep, docs/format.md.
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
    // Refuses an existing file unless `overwrite`, and always what is not a regular file.
    static SweepFile create(const std::filesystem::path& path, const sweep::Spec& spec,
                            const Provenance& provenance, bool overwrite);

    // Rows of /trials from first_row on. They reach the kernel before this returns.
    void write_rows(std::uint64_t first_row, std::span<const sweep::TrialRow> rows);

    // Row `network` of /profile/response: G_l for l = 1..depth.
    void write_profile(std::uint64_t network, std::span<const double> response);

    // To the disk.
    void sync();

    // Synchronises, then records that every row is final.
    void mark_complete();

private:
    // Owner of an open file.
    class Descriptor {
    public:
        explicit Descriptor(int number) : number_(number) {}
        Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
        Descriptor& operator=(Descriptor&& other) noexcept {
            std::swap(number_, other.number_);
            return *this;
        }
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        ~Descriptor();
        int get() const { return number_; }

    private:
        int number_;
    };

    SweepFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    void write_at(std::uint64_t offset, const void* data, std::size_t size);

    std::filesystem::path path_;
    Descriptor descriptor_;
    std::uint64_t trials_offset_ = 0;
    std::uint64_t profile_offset_ = 0; // 0: no profile
    std::uint64_t profile_columns_ = 0;
};

// Reads a whole file. Refuses other file types, newer major versions and tables that are not their spec's; a
// row whose checksum or coordinates are wrong becomes pending and is counted as damaged.
analysis::TrialTable read_sweep_file(const std::filesystem::path& path);

} // namespace etastar::io

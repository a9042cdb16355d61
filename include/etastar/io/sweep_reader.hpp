#pragma once

#include "etastar/analysis/table.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace etastar::io {

// Reads the file of a sweep, docs/format.md, in parts of any size. Nothing is believed unchecked: the structure has
// a checksum (src/io/seal.hpp), every row has one, and a row must be the one that the spec has in its place.
//
// All members throw FileError naming the file and the damage.
class SweepReader {
public:
    // Refuses other file types, newer major versions and tables that are not their spec's.
    explicit SweepReader(const std::filesystem::path& path);
    ~SweepReader();
    SweepReader(SweepReader&&) noexcept;
    SweepReader& operator=(SweepReader&&) noexcept;

    const sweep::Spec& spec() const;
    bool complete() const; // as the file says; rows have the last word

    // Rows of /trials from first_row on; the coordinates are always those of the spec. One whose checksum or
    // coordinates are wrong becomes pending and is counted as damaged.
    void read_rows(std::uint64_t first_row, std::span<sweep::TrialRow> rows);
    std::uint64_t damaged() const;

    // Row `network` of /profile/response, NaN beyond the network's depth; needs spec().profile. Empty where it does
    // not match its checksum.
    std::vector<double> read_profile(std::uint64_t network);

    // A string attribute of /provenance; empty if there is none.
    std::string provenance(const char* name) const;

    // Whether a network is finished: its rows are done or nonfinite, its rates those of this program to the last
    // bit, and its profile, where there is one, is that of its rows.
    std::vector<bool> finished();

    // Networks that finished() last found to be unfinished for their profile alone.
    std::uint64_t damaged_profiles() const;

    // Where the rows stand in the file; FileError unless they are contiguous.
    std::uint64_t trials_offset() const;
    std::uint64_t profile_offset() const; // 0: no profile
    std::uint64_t checks_offset() const;  // 0: no profile

private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

// A whole file.
analysis::TrialTable read_sweep_file(const std::filesystem::path& path);

// What of a sweep has been done.
struct Tally {
    std::uint64_t finished = 0; // networks
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
    std::uint64_t damaged_rows = 0;     // of /trials
    std::uint64_t damaged_profiles = 0; // networks that are pending here for their profile alone
};
Tally tally(SweepReader& reader);

} // namespace etastar::io

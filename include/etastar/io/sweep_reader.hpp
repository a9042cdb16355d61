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

// Of /trials, wherever all are read or written.
inline constexpr std::size_t rows_at_once = 1 << 15;

// What of a sweep has been done.
struct Tally {
    std::uint64_t finished = 0; // networks
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
    std::uint64_t damaged = 0; // rows of /trials, and profiles for which alone a network is pending

    // Networks that a resumed sweep runs, ascending: those not finished, and those whose rates differ in the last
    // digits because another version's theory set the unit of eta.
    std::vector<std::uint64_t> left;
};

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

    // Reads the whole file. A network is finished if its rows are done or nonfinite and its profile, where there is
    // one, is that of its rows.
    Tally tally();

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

} // namespace etastar::io

#pragma once

#include "etastar/plan/plan.hpp"
#include "etastar/trial/kind.hpp"
#include "etastar/trial/record.hpp"
#include "etastar/trial/results.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace etastar::io {

struct DataMap;

// What of a sweep has been done.
struct Tally {
    std::uint64_t finished = 0; // networks
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
    std::uint64_t skipped = 0;
    std::uint64_t damaged =
        0; // rows of /trials, and those for which a table alone is damaged, or of another run

    std::vector<std::uint64_t>
        left; // networks that a resumed sweep runs: those neither finished nor skipped, ascending
};

// Reads the file of a sweep, docs/format.md, in parts of any size, also while it is written. Nothing is believed
// unchecked: the structure has a checksum (src/io/seal.hpp), every row has one, and a row must be the one that the plan
// has in its place.
//
// All members throw FileError naming the file and the damage.
class SweepReader {
public:
    // Refuses other file types, other major versions, kinds of trial that are not among `kinds`, and tables that are not
    // their spec's.
    explicit SweepReader(const std::filesystem::path& path,
                         std::span<const trial::Kind* const> kinds = trial::kinds());
    ~SweepReader();
    SweepReader(SweepReader&&) noexcept;
    SweepReader& operator=(SweepReader&&) noexcept;

    const plan::Plan& plan() const;
    const trial::Kind& kind() const;
    const trial::RecordLayout& layout() const;
    bool complete() const; // as the file says; rows have the last word

    // Rows of /trials from first_row on; the coordinates are always those of the plan. One whose checksum or
    // coordinates are wrong becomes pending and is counted as damaged.
    void read_rows(std::uint64_t first_row, trial::Bytes rows);
    std::uint64_t damaged_rows() const;

    // As many networks as are best read in one go.
    std::uint64_t networks_at_once() const;

    // Records of networks from `first` on, back to back; rows as above. Rows of tables that do not match their checksum
    // become NaN.
    void read_records(std::uint64_t first, std::uint64_t count, trial::Bytes records);

    // The same. A network whose rows have all run, but whose tables are damaged or not of its rows, is not finished: the
    // rows of the rates whose part of a table is damaged, or the first where that cannot be told, become pending and are
    // counted as damaged.
    void read_checked_records(std::uint64_t first, std::uint64_t count, trial::Bytes records);

    // A string attribute of /provenance; empty if there is none.
    std::string provenance(const char* name) const;

    // All attributes of /provenance that are one string or one number, as text, by name.
    std::vector<std::pair<std::string, std::string>> provenance() const;

    // Reads the whole file. A network is finished if its rows are done or nonfinite and its part of each table, where
    // there are any, is whole and that of its rows.
    Tally tally();

    // Where the data stand in the file; FileError unless they are contiguous.
    DataMap data_map() const;

private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

// A whole file.
trial::Results read_sweep_file(const std::filesystem::path& path,
                               std::span<const trial::Kind* const> kinds = trial::kinds());

} // namespace etastar::io

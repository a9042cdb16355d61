#pragma once

#include "etastar/analysis/allocation.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/parallel/runner.hpp"

#include "recorder.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace etastar::app {

// A sweep with a target: hands out its networks round by round. What the file has of a round is not run again, so that a
// sweep that was stopped goes on where it was, by the same decisions.
class Rounds final : public parallel::Collector {
public:
    // The plan has its costs. The file is at `path`; all are used as long as this lives.
    Rounds(const plan::Plan& priced, io::SweepFile& file, const std::filesystem::path& path,
           Recorder& recorder);

    void collect(std::vector<parallel::NetworkResult>&& results) override;
    void tick() override { recorder_.tick(); }
    std::vector<parallel::Unit> more() override;

    // Once there are no more: every network that is in no round becomes a skipped one, in the file. False if it is time to
    // stop before the end.
    bool skip_rest(const std::function<bool()>& has_to_stop);

    // What came of it, in words.
    std::string summary() const;

private:
    // The networks of the rounds so far.
    struct CellRows {
        std::vector<std::byte> rows;             // of /trials
        std::vector<std::vector<double>> tables; // those that are analysed
        bool changed = false;                    // since the fit was made
    };

    void extend(std::size_t cell, std::uint64_t networks, std::vector<parallel::Unit>& units);
    void put(std::uint64_t network, trial::ConstBytes record);
    void decide();
    void tell() const;
    std::string half_width() const; // as text

    const plan::Plan& plan_;
    io::SweepFile& file_;
    Recorder& recorder_;
    std::optional<io::SweepReader> reader_; // of a file that was begun before
    bool all_done_;                         // before this run
    std::vector<std::size_t> analysed_;     // tables of the layout
    analysis::Allocation allocation_;
    trial::Results table_; // of one cell at a time
    std::vector<CellRows> cells_;
    std::vector<std::uint64_t> networks_; // of each cell in the rounds so far
    std::vector<analysis::CellFit> fits_;
    std::vector<analysis::Round> former_; // rounds whose exponent had an interval
    analysis::Decision decision_;
    std::uint64_t rounds_ = 0;
    std::uint64_t run_ = 0; // networks, by this process
    double work_done_ = 0;
};

// Lines of `plan`: what a sweep with a target will take, as far as that can be told beforehand.
std::string show_target(const plan::Plan& priced);

} // namespace etastar::app

#pragma once

#include "etastar/app/progress.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/parallel/runner.hpp"

#include <cstdint>
#include <future>
#include <vector>

namespace etastar::app {

// Writes results as they come and keeps the user informed.
class Recorder final : public parallel::Collector {
public:
    struct Counts {
        std::uint64_t finished = 0; // networks, failed ones included
        std::uint64_t nonfinite = 0;
        std::uint64_t failed = 0; // rows, as are the nonfinite
    };

    // Networks to come, and their expected seconds.
    Recorder(io::SweepFile& file, std::uint64_t networks, double work, Verbosity verbosity);

    void collect(std::vector<parallel::NetworkResult>&& results) override;
    void tick() override;

    // Waits for a write to the disk. The kernel tells of an error only once: what that found is for all later ones.
    void settle();

    Progress& progress() { return progress_; }
    const Counts& counts() const { return counts_; }
    double seconds() const { return progress_.seconds(); }

private:
    void check_file();
    void note(const parallel::NetworkResult& result);
    void note_cell(const parallel::NetworkResult& result);

    // Networks of a (width, depth) that are still to come, and what those that came took.
    struct CellLeft {
        std::uint64_t networks = 0;
        std::uint64_t finished = 0;
        double seconds = 0;
    };

    io::SweepFile& file_;
    double started_; // seconds since 1970
    Progress progress_;
    std::vector<CellLeft> cells_; // in the plan's order; empty unless each is told
    parallel::Clock::time_point next_sync_;
    parallel::Clock::time_point next_check_;
    std::future<void> syncing_;
    bool unsynced_ = false;
    Counts counts_;
    std::uint64_t failed_networks_ = 0;
};

} // namespace etastar::app

#include "recorder.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/error.hpp"
#include "etastar/quantity.hpp"

#include "clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <system_error>

namespace etastar::app {
namespace {

using parallel::Clock;
using namespace std::chrono_literals;

// Between the beginnings of two writes to the disk: rows are there, not only in the kernel, at most this long and as
// long as one write takes after their network has finished.
constexpr auto sync_interval = 15s;
// Between looks whether the file is still ours.
constexpr auto check_interval = 1s;
// Messages about failed networks before only their number is told.
constexpr std::uint64_t most_failures_told = 5;

} // namespace

Recorder::Recorder(io::SweepFile& file, std::uint64_t networks, double work, Verbosity verbosity)
    : file_(file),
      started_(unix_now()),
      progress_(networks, work, verbosity),
      next_sync_(Clock::now() + sync_interval),
      next_check_(Clock::now() + check_interval) {
    if (verbosity != Verbosity::verbose) return;
    cells_.resize(file.plan().cells().size());
    for (const auto network : file.networks_left()) ++cells_[network / file.plan().spec().seeds].networks;
}

void Recorder::collect(std::vector<parallel::NetworkResult>&& results) {
    // Also before writing: a process that was suspended may wake up as the older of two writers.
    check_file();
    std::sort(results.begin(), results.end(),
              [](const auto& a, const auto& b) { return a.network < b.network; });
    std::vector<io::FinishedNetwork> networks;
    networks.reserve(results.size());
    for (const auto& result : results) networks.push_back({result.network, result.record});
    file_.write_networks(networks);
    for (const auto& result : results) note(result);
    unsynced_ = true;
}

void Recorder::tick() {
    progress_.show();
    check_file();
    const auto now = Clock::now();
    if (!unsynced_ || now < next_sync_) return;
    if (syncing_.valid() && syncing_.wait_for(0s) != std::future_status::ready) return;
    settle();
    // In a thread of its own: on some file systems it takes seconds, in which nobody would hand out work.
    try {
        syncing_ = std::async(std::launch::async, [this] { file_.sync(); });
    } catch (const std::system_error&) { // no more threads
        file_.sync();
    }
    unsynced_ = false;
    next_sync_ = now + sync_interval;
}

void Recorder::settle() {
    if (syncing_.valid()) syncing_.get();
}

void Recorder::check_file() {
    const auto now = Clock::now();
    if (now < next_check_) return;
    next_check_ = now + check_interval;
    file_.check();
    file_.tell({started_, unix_now(), counts_.finished, progress_.cost_done(), progress_.cost()});
}

// Of a (width, depth) when the last of its networks has come.
void Recorder::note_cell(const parallel::NetworkResult& result) {
    auto& left = cells_[result.network / file_.plan().spec().seeds];
    ++left.finished;
    left.seconds += result.seconds;
    if (left.finished < left.networks) return;
    const auto& cell = file_.plan().cell_of(result.network);
    progress_.make_room();
    print_log(fmt::format("etastar: width {}, depth {}: {} networks done, {} each", cell.width, cell.depth,
                          left.finished, show_duration(left.seconds / static_cast<double>(left.finished))));
}

void Recorder::note(const parallel::NetworkResult& result) {
    ++counts_.finished;
    for (std::size_t k = 0; k < file_.layout().rates(); ++k) {
        const auto status = trial::status(file_.layout().row(result.record, k));
        counts_.nonfinite += status == trial::Status::nonfinite;
        counts_.failed += status == trial::Status::failed;
    }
    if (!result.error.empty() && ++failed_networks_ <= most_failures_told) {
        const auto id = file_.plan().id(result.network);
        progress_.make_room();
        print_error(fmt::format(
            "network width {}, depth {}, seed {} failed: {}{}", id.width, id.depth, id.seed, result.error,
            failed_networks_ == most_failures_told ? " (further failures are only counted)" : ""));
    }
    progress_.add(result.expected_seconds);
    if (!cells_.empty()) note_cell(result);
}

} // namespace etastar::app

#pragma once

#include "etastar/error.hpp"
#include "etastar/parallel/communicator.hpp"
#include "etastar/parallel/dispatcher.hpp"
#include "etastar/parallel/result.hpp"
#include "etastar/parallel/tree.hpp"
#include "etastar/trial/kind.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace etastar::parallel {

// What every rank needs to know of the work; the same on all of them.
struct Job {
    std::function<std::unique_ptr<trial::Worker>()> make_worker;
    std::function<std::vector<std::byte>(std::uint64_t network)> failed_record;
    std::size_t threads = 1; // in which each rank runs trials, at least 1; each has a worker of its own

    // That of a plan; weight_budget: bytes for each thread.
    static Job of(const trial::Kind& kind, const plan::Plan& plan, std::size_t weight_budget,
                  std::size_t threads = 1);
};

// Rank 0's side of a sweep: told of results as they arrive, in no particular order, each network once, and called
// at least a hundred times a second in between. All are called on the main thread.
class Collector {
public:
    virtual ~Collector() = default;
    virtual void collect(std::vector<NetworkResult>&& results) = 0;
    virtual void tick() {}

    // Asked when every network has been collected: what to run next, networks that have not been run before; none ends
    // the sweep. Ranks wait meanwhile.
    virtual std::vector<Unit> more() { return {}; }
};

using Clock = std::chrono::steady_clock;

struct Outcome {
    bool stopped = false;      // with networks left,
    bool by_signal = false;    // for a signal to any rank; otherwise for want of time
    std::uint64_t not_run = 0; // networks not started for want of time; others may have been cut off
};

// Runs the units on all ranks and returns when every result has been collected and there are no more, or when the sweep has been asked
// to stop (stop.hpp) or the deadline has come. Collective; `units` and `collector` matter on rank 0 alone,
// everything else is the same on all ranks. Every rank computes in threads of their own while its main thread hands out
// work and talks; the job is copied there, for a trial that is cut off runs until the process ends (see
// trial_cut_off). Where the system refuses some of the threads, a rank goes on with those that it has and says so in
// one line on standard error; std::runtime_error where it has none.
//
// No network is started that, going by its expected seconds and by how those of the others turned out, would not
// end before the deadline.
//
// An exception from a worker becomes the failed record of its network; a network that finds no memory beside those of
// other threads is first tried again alone, so that what fails does not depend on their number. Any other exception propagates from the
// rank it happened on while the others go on waiting: call these within run_guarded.
Outcome run_networks(Communicator& communicator, std::vector<Unit> units, const Job& job,
                     Collector& collector, std::optional<Clock::time_point> deadline = {},
                     std::optional<Tree> tree = {});
void serve_networks(Communicator& communicator, const Job& job,
                    std::optional<Clock::time_point> deadline = {}, std::optional<Tree> tree = {});

// True when a trial still runs in its thread although the sweep has ended on this rank: the process must then end
// by _Exit, without taking down what the trial uses.
bool trial_cut_off();

// Runs the part of a job in which ranks wait for one another. An exception on any rank is told in one line on
// standard error, with the rank and its host, and ends every rank at once with exit code 3 (FileError) or 1.
// In a single process it propagates.
ExitCode run_guarded(Communicator& communicator, const std::function<ExitCode()>& work);

} // namespace etastar::parallel

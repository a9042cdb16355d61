#pragma once

#include "etastar/parallel/dispatcher.hpp"
#include "etastar/parallel/result.hpp"
#include "etastar/parallel/runner.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace etastar::parallel {

// This rank's own trials, in threads beside the one that talks. The threads draw from one queue, in the order in which
// work was added, and each runs one trial after the other.
class LocalWorker {
public:
    // Starts job.threads threads, or as many as the system allows; std::runtime_error where it allows none.
    LocalWorker(const Job& job, std::optional<Clock::time_point> deadline);

    // Trials that run are left alone for the rest of the process's life (trial_cut_off).
    ~LocalWorker();
    LocalWorker(const LocalWorker&) = delete;
    LocalWorker& operator=(const LocalWorker&) = delete;

    // Why there are fewer threads than asked for; empty if there are not.
    const std::string& missing_threads() const { return missing_threads_; }

    void add(const Work& work);

    // Forgets what has not been started.
    void clear();

    // True while a trial runs or waits, or a result has not been taken.
    bool busy() const;

    // Results so far. Rethrows what went wrong outside trials, in any thread.
    std::vector<NetworkResult> take();

    // Waits until no network is left to be started and there are results, or until this many have not been taken, at most
    // for `pause`. Not for every result: between tiny networks the wake-ups would cost more than the trials.
    void wait(std::chrono::microseconds pause, std::size_t results);

private:
    struct State;
    std::shared_ptr<State> state_; // the threads', too
    std::string missing_threads_;
};

} // namespace etastar::parallel

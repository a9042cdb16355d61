#pragma once

#include "etastar/parallel/dispatcher.hpp"
#include "etastar/parallel/result.hpp"
#include "etastar/parallel/runner.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

namespace etastar::parallel {

// This rank's own trials, one after the other in a thread beside the one that talks.
class LocalWorker {
public:
    LocalWorker(const Job& job, std::optional<Clock::time_point> deadline);

    // A trial that runs is left alone for the rest of the process's life (trial_cut_off).
    ~LocalWorker();
    LocalWorker(const LocalWorker&) = delete;
    LocalWorker& operator=(const LocalWorker&) = delete;

    void add(const Work& work);

    // Forgets what has not been started.
    void clear();

    // True while a trial runs or waits, or a result has not been taken.
    bool busy() const;

    // Results so far. Rethrows what went wrong outside trials.
    std::vector<NetworkResult> take();

    // Waits until there is nothing left to do here or this many results have not been taken, at most for `pause`. Not
    // for every result: between tiny networks the wake-ups would cost more than the trials.
    void wait(std::chrono::microseconds pause, std::size_t results);

private:
    struct State;
    std::shared_ptr<State> state_; // the thread's, too
};

} // namespace etastar::parallel

#include "local_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <iterator>
#include <limits>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace etastar::parallel {
namespace {

std::atomic<bool> cut_off_somewhere{false};

constexpr auto never = std::numeric_limits<std::size_t>::max();

// Where there are several threads, one draws this many seconds of tiny networks at a time: they would queue for the
// queue.
constexpr double drawn_together = 50e-6;

} // namespace

struct LocalWorker::State {
    const Job job;
    const std::optional<Clock::time_point> deadline;

    mutable std::mutex mutex;
    std::condition_variable something_to_do;
    std::condition_variable something_due;
    std::condition_variable ended;
    std::deque<Unit> todo;
    std::vector<NetworkResult> done;
    std::exception_ptr error;
    double slack = 1;
    std::size_t awaited = never; // results for which the main thread waits
    std::size_t threads = 0;     // that have not ended,
    std::size_t running = 0;     // of these at a trial,
    std::size_t holding = 0;     // and that have a worker, with all the memory that it keeps between trials
    bool stop = false;
    std::atomic<std::uint64_t> clears{0}; // how often what has not been started was forgotten

    // Networks that found no memory while there were other workers. Each is run again when there are none: where the
    // memory is too small for several at a time, the table is that of one thread.
    std::deque<Unit> to_run_alone;
    bool one_runs_alone = false;

    State(const Job& job_, std::optional<Clock::time_point> deadline_) : job(job_), deadline(deadline_) {}

    bool is_due() const {
        return !done.empty() && ((todo.empty() && to_run_alone.empty()) || done.size() >= awaited);
    }

    // What a thread may draw: one network from to_run_alone, some from todo, or nothing yet.
    bool may_run_one_alone() const { return !to_run_alone.empty() && holding == 0; }
    bool may_draw() const { return !todo.empty() && to_run_alone.empty() && !one_runs_alone; }

    void forget() {
        todo.clear();
        to_run_alone.clear();
        ++clears;
    }

    std::vector<Unit> draw() {
        const auto most = job.threads > 1 ? 1 + todo.size() / (2 * job.threads) : 1;
        std::size_t count = 1;
        for (double seconds = todo.front().seconds; count < most && count < todo.size(); ++count) {
            seconds += todo[count].seconds;
            if (seconds > drawn_together) break;
        }
        const auto end = todo.begin() + static_cast<std::ptrdiff_t>(count);
        std::vector<Unit> drawn(todo.begin(), end);
        todo.erase(todo.begin(), end);
        return drawn;
    }

    // The result of a network. Nothing where there was no memory for it: with one network on its own that is its result.
    std::optional<NetworkResult> measure(trial::Worker& worker, const Unit& unit, double known_slack,
                                         bool alone) const {
        const auto start = Clock::now();
        NetworkResult result;
        result.network = unit.network;
        if (deadline && start + std::chrono::duration<double>(known_slack * unit.seconds) > *deadline) {
            result.skipped = true;
            return result;
        }
        result.expected_seconds = unit.seconds;
        try {
            result.record = worker.run(unit.network);
        } catch (const std::bad_alloc&) {
            if (!alone) return std::nullopt;
            result.error = "out of memory";
        } catch (const std::exception& error_of_trial) {
            result.error = *error_of_trial.what() != '\0' ? error_of_trial.what() : "unknown error";
        }
        if (!result.error.empty()) result.record = job.failed_record(unit.network);
        result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
        return result;
    }

    // A thread's life.
    void work() {
        try {
            auto worker = job.make_worker();
            std::unique_lock lock(mutex);
            while (true) {
                something_to_do.wait(lock, [&] {
                    return stop || may_draw() || may_run_one_alone() || (worker && !to_run_alone.empty());
                });
                if (stop) break;
                if (worker && !to_run_alone.empty()) { // its memory may be what is missing
                    lock.unlock();
                    worker.reset();
                    lock.lock();
                    if (--holding == 0) something_to_do.notify_all();
                    continue;
                }
                const bool alone = may_run_one_alone();
                std::vector<Unit> units;
                if (alone) {
                    units.push_back(to_run_alone.front());
                    to_run_alone.pop_front();
                    one_runs_alone = true;
                } else {
                    units = draw();
                }
                run(lock, worker, units, alone);
            }
            if (worker) --holding;
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        --threads;
        something_due.notify_one();
        ended.notify_one();
    }

    void run(std::unique_lock<std::mutex>& lock, std::unique_ptr<trial::Worker>& worker,
             const std::vector<Unit>& units, bool alone) {
        const double known_slack = slack;
        const bool nobody_else = alone || job.threads == 1;
        ++running;
        if (!worker) ++holding;
        const auto clears_before = clears.load();
        lock.unlock();
        if (!worker) worker = job.make_worker();
        std::vector<NetworkResult> results;
        std::vector<Unit> without_memory;
        for (const auto& unit : units) {
            if (clears.load(std::memory_order_relaxed) != clears_before && &unit != &units.front()) break;
            if (auto result = measure(*worker, unit, known_slack, nobody_else))
                results.push_back(std::move(*result));
            else
                without_memory.push_back(unit);
        }
        lock.lock();
        --running;
        std::move(results.begin(), results.end(), std::back_inserter(done));
        if (clears.load() == clears_before)
            to_run_alone.insert(to_run_alone.end(), without_memory.begin(), without_memory.end());
        if (alone) one_runs_alone = false;
        if (alone || !without_memory.empty()) something_to_do.notify_all();
        if (is_due()) something_due.notify_one();
    }
};

LocalWorker::LocalWorker(const Job& job, std::optional<Clock::time_point> deadline)
    : state_(std::make_shared<State>(job, deadline)) {
    const std::lock_guard lock(state_->mutex);
    for (std::size_t started = 0; started < job.threads; ++started) {
        try {
            std::thread([state = state_] { state->work(); }).detach();
        } catch (const std::system_error& error) {
            const auto why = error.code().message();
            if (started == 0) throw std::runtime_error(fmt::format("cannot start a thread ({})", why));
            missing_threads_ = fmt::format("only {} of {} threads could be started ({}); going on with {}",
                                           started, job.threads, why, started == 1 ? "that one" : "those");
            return;
        }
        ++state_->threads;
        ++state_->holding;
    }
}

LocalWorker::~LocalWorker() {
    std::unique_lock lock(state_->mutex);
    state_->stop = true;
    state_->forget();
    state_->something_to_do.notify_all();
    if (state_->running > 0)
        cut_off_somewhere = true;
    else
        state_->ended.wait(lock, [this] { return state_->threads == 0; });
}

void LocalWorker::add(const Work& work) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->slack = work.slack;
        state_->todo.insert(state_->todo.end(), work.units.begin(), work.units.end());
    }
    if (work.units.size() == 1)
        state_->something_to_do.notify_one();
    else
        state_->something_to_do.notify_all();
}

void LocalWorker::clear() {
    const std::lock_guard lock(state_->mutex);
    state_->forget();
}

bool LocalWorker::busy() const {
    const std::lock_guard lock(state_->mutex);
    return state_->running > 0 || !state_->todo.empty() || !state_->to_run_alone.empty()
           || !state_->done.empty();
}

std::vector<NetworkResult> LocalWorker::take() {
    const std::lock_guard lock(state_->mutex);
    if (state_->error) std::rethrow_exception(std::exchange(state_->error, nullptr));
    return std::exchange(state_->done, {});
}

void LocalWorker::wait(std::chrono::microseconds pause, std::size_t results) {
    auto& state = *state_;
    std::unique_lock lock(state.mutex);
    state.awaited = results;
    state.something_due.wait_for(lock, pause, [&] { return state.is_due() || state.error; });
    state.awaited = never;
}

bool trial_cut_off() { return cut_off_somewhere; }

} // namespace etastar::parallel

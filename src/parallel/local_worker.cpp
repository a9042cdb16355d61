#include "local_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
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

NetworkResult measure(trial::Worker& worker, const Job& job, const Unit& unit) {
    const auto start = Clock::now();
    NetworkResult result;
    result.network = unit.network;
    result.expected_seconds = unit.seconds;
    try {
        result.record = worker.run(unit.network);
    } catch (const std::bad_alloc&) {
        result.error = "out of memory";
    } catch (const std::exception& error) {
        result.error = *error.what() != '\0' ? error.what() : "unknown error";
    }
    if (!result.error.empty()) result.record = job.failed_record(unit.network);
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
}

} // namespace

struct LocalWorker::State {
    const Job job;
    const std::optional<Clock::time_point> deadline;

    mutable std::mutex mutex;
    std::condition_variable work_arrived;
    std::condition_variable something_due;
    std::condition_variable ended;
    std::deque<Unit> todo;
    std::vector<NetworkResult> done;
    std::exception_ptr error;
    double slack = 1;
    std::size_t awaited = never; // results for which the other thread waits
    bool running = false;        // a trial
    bool stop = false;
    bool over = false; // the thread

    State(const Job& job_, std::optional<Clock::time_point> deadline_) : job(job_), deadline(deadline_) {}

    bool is_due() const { return !done.empty() && (todo.empty() || done.size() >= awaited); }

    bool too_late_for(const Unit& unit) const {
        return deadline && Clock::now() + std::chrono::duration<double>(slack * unit.seconds) > *deadline;
    }

    void work() {
        try {
            const auto worker = job.make_worker();
            std::unique_lock lock(mutex);
            while (true) {
                work_arrived.wait(lock, [this] { return stop || !todo.empty(); });
                if (stop) break;
                const auto unit = todo.front();
                todo.pop_front();
                NetworkResult result;
                if (too_late_for(unit)) {
                    result.network = unit.network;
                    result.skipped = true;
                } else {
                    running = true;
                    lock.unlock();
                    result = measure(*worker, job, unit);
                    lock.lock();
                    running = false;
                }
                done.push_back(std::move(result));
                if (is_due()) something_due.notify_one();
            }
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        over = true;
        something_due.notify_one();
        ended.notify_one();
    }
};

LocalWorker::LocalWorker(const Job& job, std::optional<Clock::time_point> deadline)
    : state_(std::make_shared<State>(job, deadline)) {
    try {
        std::thread([state = state_] { state->work(); }).detach();
    } catch (const std::system_error& error) {
        throw std::runtime_error(fmt::format("cannot start a thread ({})", error.code().message()));
    }
}

LocalWorker::~LocalWorker() {
    std::unique_lock lock(state_->mutex);
    state_->stop = true;
    state_->todo.clear();
    state_->work_arrived.notify_one();
    if (state_->running)
        cut_off_somewhere = true;
    else
        state_->ended.wait(lock, [this] { return state_->over; });
}

void LocalWorker::add(const Work& work) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->slack = work.slack;
        state_->todo.insert(state_->todo.end(), work.units.begin(), work.units.end());
    }
    state_->work_arrived.notify_one();
}

void LocalWorker::clear() {
    const std::lock_guard lock(state_->mutex);
    state_->todo.clear();
}

bool LocalWorker::busy() const {
    const std::lock_guard lock(state_->mutex);
    return state_->running || !state_->todo.empty() || !state_->done.empty();
}

std::vector<NetworkResult> LocalWorker::take() {
    const std::lock_guard lock(state_->mutex);
    if (state_->error) std::rethrow_exception(state_->error);
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

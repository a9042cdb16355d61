#include "etastar/parallel/runner.hpp"

#include "etastar/parallel/dispatcher.hpp"
#include "etastar/theory/cell_rates.hpp"

#include "message.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

namespace etastar::parallel {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Results travel when a batch is finished, and from within a long one at least this often.
constexpr auto longest_silence = 500ms;

// Sleeps longer the longer nothing happens, so that waiting costs no core: ranks may share one.
class Backoff {
public:
    std::chrono::microseconds next() {
        const auto pause = pause_;
        pause_ = std::min(2 * pause_, longest);
        return pause;
    }
    void reset() { pause_ = shortest; }

private:
    static constexpr std::chrono::microseconds shortest = 50us;
    static constexpr std::chrono::microseconds longest = 2000us;
    std::chrono::microseconds pause_ = shortest;
};

// Runs single networks for one rank.
class Worker {
public:
    Worker(const sweep::Spec& spec, const EngineFactory& make_engine) : spec_(spec), engine_(make_engine()) {}

    NetworkResult run(std::uint64_t index) {
        const auto id = spec_.network(index);
        const auto rates = theory::cell_rates(spec_, id.width, id.depth);
        NetworkResult result;
        result.network = index;
        try {
            auto outcome = engine_->run(id, rates);
            result.rows = engine::trial_rows(id, rates, outcome);
            if (spec_.profile) result.response = std::move(outcome.response);
        } catch (const std::bad_alloc&) {
            result.error = "out of memory";
        } catch (const std::exception& error) {
            result.error = *error.what() != '\0' ? error.what() : "unknown error";
        }
        if (!result.error.empty()) {
            result.rows.clear();
            for (const double rate : rates)
                result.rows.push_back(
                    sweep::unmeasured_row(id.width, id.depth, id.seed, rate, sweep::Status::failed));
        }
        return result;
    }

private:
    const sweep::Spec& spec_;
    std::unique_ptr<engine::Engine> engine_;
};

// Rank 0's own trials, in a thread beside the one that coordinates.
class LocalWorker {
public:
    LocalWorker(const sweep::Spec& spec, const EngineFactory& make_engine)
        : thread_([this, &spec, &make_engine] { work(spec, make_engine); }) {}

    ~LocalWorker() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            todo_.clear();
        }
        work_arrived_.notify_one();
        thread_.join();
    }
    LocalWorker(const LocalWorker&) = delete;
    LocalWorker& operator=(const LocalWorker&) = delete;

    void add(const std::vector<std::uint64_t>& networks) {
        {
            const std::lock_guard lock(mutex_);
            todo_.insert(todo_.end(), networks.begin(), networks.end());
        }
        work_arrived_.notify_one();
    }

    // Results so far.
    std::vector<NetworkResult> take() {
        const std::lock_guard lock(mutex_);
        if (error_) std::rethrow_exception(error_);
        return std::exchange(done_, {});
    }

    // Waits until there is nothing left to do here, at most for `pause`. Not for every result: between tiny
    // networks the wake-ups would cost more than the trials.
    void wait(std::chrono::microseconds pause) {
        std::unique_lock lock(mutex_);
        ran_dry_.wait_for(lock, pause, [this] { return (todo_.empty() && !done_.empty()) || error_; });
    }

private:
    void work(const sweep::Spec& spec, const EngineFactory& make_engine) {
        try {
            Worker worker(spec, make_engine);
            std::unique_lock lock(mutex_);
            while (true) {
                work_arrived_.wait(lock, [this] { return stop_ || !todo_.empty(); });
                if (stop_) return;
                const auto network = todo_.front();
                todo_.pop_front();
                lock.unlock();
                auto result = worker.run(network);
                lock.lock();
                done_.push_back(std::move(result));
                if (todo_.empty()) ran_dry_.notify_one();
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            error_ = std::current_exception();
            ran_dry_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable work_arrived_;
    std::condition_variable ran_dry_;
    std::deque<std::uint64_t> todo_;
    std::vector<NetworkResult> done_;
    std::exception_ptr error_;
    bool stop_ = false;
    std::thread thread_;
};

} // namespace

void run_networks(Communicator& communicator, const sweep::Spec& spec,
                  const std::vector<std::uint64_t>& networks, const std::vector<double>& costs,
                  const EngineFactory& make_engine, Collector& collector) {
    Dispatcher dispatcher(costs, communicator.size());
    LocalWorker local(spec, make_engine);
    std::size_t collected = 0;

    const auto hand_out = [&](int rank) {
        if (!dispatcher.wants_batch(rank)) return;
        std::vector<std::uint64_t> batch;
        for (const auto unit : dispatcher.next_batch(rank)) batch.push_back(networks[unit]);
        if (rank == communicator.rank())
            local.add(batch);
        else
            communicator.send(rank, Tag::work, pack_work(batch));
    };
    const auto accept = [&](int rank, std::vector<NetworkResult>&& results) {
        // The next batch goes out before the results are written: the rank may be waiting for it.
        dispatcher.finished(rank, results.size());
        hand_out(rank);
        collected += results.size();
        for (auto& result : results) collector.collect(std::move(result));
    };

    // One batch each before anybody's second: where networks are few, every rank gets one.
    for (int round = 0; round < 2; ++round)
        for (int rank = 0; rank < communicator.size(); ++rank) hand_out(rank);

    Backoff backoff;
    while (collected < networks.size()) {
        bool idle = true;
        while (auto message = communicator.poll()) {
            accept(message->source, unpack_results(message->payload));
            idle = false;
        }
        if (auto results = local.take(); !results.empty()) {
            accept(communicator.rank(), std::move(results));
            idle = false;
        }
        collector.tick();
        if (!idle)
            backoff.reset();
        else
            local.wait(backoff.next());
    }
    for (int rank = 1; rank < communicator.size(); ++rank) communicator.send(rank, Tag::stop, {});
    while (!communicator.all_sent()) std::this_thread::sleep_for(backoff.next());
}

void serve_networks(Communicator& communicator, const sweep::Spec& spec, const EngineFactory& make_engine) {
    Worker worker(spec, make_engine);
    std::deque<std::deque<std::uint64_t>> batches;
    std::vector<NetworkResult> results;
    bool stopped = false;
    const auto receive = [&] {
        bool any = false;
        // What follows a stop belongs to another run.
        while (!stopped) {
            const auto message = communicator.poll();
            if (!message) break;
            any = true;
            if (message->tag == Tag::stop) {
                stopped = true;
            } else {
                const auto batch = unpack_work(message->payload);
                batches.emplace_back(batch.begin(), batch.end());
            }
        }
        return any;
    };
    auto last_sent = Clock::now();
    const auto send = [&] {
        communicator.send(0, Tag::result, pack_results(results));
        results.clear();
        // A long message only leaves while this rank is inside the library; a network may take minutes.
        Backoff backoff;
        while (!communicator.all_sent()) {
            receive();
            std::this_thread::sleep_for(backoff.next());
        }
        last_sent = Clock::now();
    };

    Backoff backoff;
    while (true) {
        if (receive()) backoff.reset();
        if (batches.empty()) {
            if (stopped) return;
            std::this_thread::sleep_for(backoff.next());
            continue;
        }
        auto& batch = batches.front();
        results.push_back(worker.run(batch.front()));
        batch.pop_front();
        const bool batch_finished = batch.empty();
        if (batch_finished) batches.pop_front();
        if (batch_finished || Clock::now() - last_sent > longest_silence) send();
    }
}

ExitCode run_guarded(Communicator& communicator, const std::function<ExitCode()>& work) {
    const auto end_job = [&](const std::string& what, ExitCode code) {
        if (communicator.size() == 1) throw;
        print_error(fmt::format("rank {} on {}: {}", communicator.rank(), host_name(), what));
        communicator.abort(static_cast<int>(code));
    };
    try {
        return work();
    } catch (const FileError& error) {
        end_job(error.what(), ExitCode::file);
    } catch (const std::bad_alloc&) {
        end_job("out of memory", ExitCode::internal);
    } catch (const std::exception& error) {
        end_job(error.what(), ExitCode::internal);
    }
    return ExitCode::internal;
}

std::string host_name() {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    return name;
}

} // namespace etastar::parallel

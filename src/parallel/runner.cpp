#include "etastar/parallel/runner.hpp"

#include "etastar/parallel/node.hpp"
#include "etastar/parallel/stop.hpp"

#include "local_worker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <thread>

namespace etastar::parallel {
namespace {

using namespace std::chrono_literals;

// Taken at a time: results must be written even where messages never end.
constexpr int most_messages = 256;

// For the last messages of a sweep.
constexpr auto longest_farewell = 200ms;

// Sleeps longer the longer nothing happens: waking up costs processor time, and ranks may share a core.
class Backoff {
public:
    explicit Backoff(std::chrono::microseconds longest) : longest_(longest) {}

    std::chrono::microseconds next() {
        const auto pause = pause_;
        pause_ = std::min(2 * pause_, longest_);
        return pause;
    }
    void reset() { pause_ = shortest; }

private:
    static constexpr std::chrono::microseconds shortest = 50us;
    std::chrono::microseconds longest_;
    std::chrono::microseconds pause_ = shortest;
};

// Between looks for messages. Those who hand out work are waited for; a rank that computes and has more to do is
// not, and when it has just reported it looks for the answer at once. A single process hears from nobody.
std::chrono::microseconds longest_pause(const Tree& tree, int rank, int size) {
    if (size == 1) return 20ms;
    return tree.children(rank).empty() ? 10ms : 2ms;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// One rank's life in a sweep; the collector is rank 0's.
Outcome participate(Communicator& ranks, const sweep::Spec& spec, std::vector<Unit> units,
                    const EngineFactory& make_engine, Collector* collector,
                    std::optional<Clock::time_point> deadline, const Tree& tree) {
    const auto start = Clock::now();
    // A rank that was late may still report when its sweep is over; that must not be heard in the next.
    auto communicator = ranks.duplicate();
    Node node(communicator, tree);
    LocalWorker local(spec, make_engine, deadline);
    Backoff backoff(longest_pause(tree, communicator.rank(), communicator.size()));
    Outcome outcome;
    if (collector != nullptr) {
        if (deadline) node.set_deadline(std::chrono::duration<double>(*deadline - start).count());
        node.add(std::move(units), 0);
        local.add(node.take_work());
    }

    Urgency urgency = Urgency::none;
    while (true) {
        const double now = seconds_since(start);
        bool heard = false;
        for (int i = 0; i < most_messages && !node.dismissed(); ++i) {
            const auto message = communicator.poll();
            if (!message) break;
            node.receive(*message, now);
            heard = true;
        }
        if (node.dismissed()) break;
        if (auto results = local.take(); !results.empty()) {
            heard = heard || results.size() >= node.results_until_report();
            node.finished_here(std::move(results), now);
        }
        node.advance(now);
        if (auto work = node.take_work(); !work.units.empty()) local.add(work);
        communicator.all_sent(); // a long message only leaves while this rank is inside the library
        if (collector != nullptr) {
            if (auto results = node.take_results(); !results.empty()) collector->collect(std::move(results));
            collector->tick();
        }

        if (const auto wished = std::max(stop_requested(), node.wished()); wished > urgency) {
            urgency = wished;
            exit_within(patience(urgency));
            outcome.by_signal = true;
            if (collector != nullptr)
                node.stop(grace(urgency), now);
            else
                node.wish_to_stop(urgency);
        }
        if (collector != nullptr && deadline && Clock::now() >= *deadline && !node.settled())
            node.stop(grace_after_deadline, now);
        if (collector != nullptr && node.settled()) break;
        if (node.stopping()) {
            local.clear();
            const bool over = now >= node.leave_at();
            if (over || (!local.busy() && node.children_gone())) break;
        }
        if (heard) backoff.reset();
        local.wait(backoff.next(), node.results_until_report());
    }
    const double now = seconds_since(start);
    if (collector != nullptr && node.settled()) node.stop(0, now);
    node.leave(now);
    // What is still under way may be for a rank that listens no more.
    for (const auto until = Clock::now() + longest_farewell;
         !communicator.all_sent() && Clock::now() < until;)
        std::this_thread::sleep_for(backoff.next());
    outcome.not_run = node.not_run();
    outcome.stopped = !node.settled() || outcome.not_run > 0;
    return outcome;
}

} // namespace

Outcome run_networks(Communicator& communicator, const sweep::Spec& spec, std::vector<Unit> units,
                     const EngineFactory& make_engine, Collector& collector,
                     std::optional<Clock::time_point> deadline, std::optional<Tree> tree) {
    return participate(communicator, spec, std::move(units), make_engine, &collector, deadline,
                       tree.value_or(Tree(communicator.size())));
}

void serve_networks(Communicator& communicator, const sweep::Spec& spec, const EngineFactory& make_engine,
                    std::optional<Clock::time_point> deadline, std::optional<Tree> tree) {
    participate(communicator, spec, {}, make_engine, nullptr, deadline,
                tree.value_or(Tree(communicator.size())));
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

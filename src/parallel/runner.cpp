#include "etastar/parallel/runner.hpp"

#include "etastar/host.hpp"
#include "etastar/parallel/node.hpp"
#include "etastar/parallel/stop.hpp"

#include "local_worker.hpp"

#include <fmt/format.h>

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

// One rank's life in a sweep: its node decides, its worker computes, its communicator carries; here is the clock, and
// what is done when. The collector is rank 0's alone.
class Participant {
public:
    Participant(Communicator& ranks, const Job& job, Collector* collector,
                std::optional<Clock::time_point> deadline, const Tree& tree)
        // A rank that was late may still report when its sweep is over; that must not be heard in the next.
        : communicator_(ranks.duplicate()),
          node_(communicator_, tree, job.threads),
          worker_(job, deadline),
          collector_(collector),
          deadline_(deadline),
          backoff_(longest_pause(tree, communicator_.rank(), communicator_.size())) {
        if (const auto why = worker_.missing_threads(); !why.empty())
            print_error(communicator_.size() == 1
                            ? why
                            : fmt::format("rank {} on {}: {}", communicator_.rank(), host_name(), why));
    }

    // Rank 0: the work. Others get theirs by messages.
    void begin(std::vector<Unit> units) {
        if (deadline_) node_.set_deadline(std::chrono::duration<double>(*deadline_ - start_).count());
        node_.add(std::move(units), 0);
        worker_.add(node_.take_work());
    }

    Outcome run() {
        while (!is_over()) {
            if (heard_) backoff_.reset();
            worker_.wait(backoff_.next(), node_.results_until_report());
        }
        farewell();
        outcome_.not_run = node_.not_run();
        outcome_.stopped = !node_.settled() || outcome_.not_run > 0 || left_out_;
        return outcome_;
    }

private:
    bool is_root() const { return collector_ != nullptr; }

    // One turn of everything that is due; true when this rank's part has come to its end.
    bool is_over() {
        now_ = seconds_since(start_);
        heard_ = false;
        listen();
        if (node_.dismissed()) return true;
        pass_on_own_results();
        node_.advance(now_);
        if (auto work = node_.take_work(); !work.units.empty()) worker_.add(work);
        communicator_.all_sent(); // a long message only leaves while this rank is inside the library
        if (is_root()) collect();
        heed_wishes_to_stop();
        if (is_root() && node_.settled() && !has_more()) return true;
        return node_.stopping() && may_leave();
    }

    // Rank 0, when every network has come back.
    bool has_more() {
        if (node_.not_run() > 0) return false;
        auto units = collector_->more();
        left_out_ = node_.stopping() && !units.empty();
        if (units.empty() || left_out_) return false;
        now_ = seconds_since(start_);
        node_.add(std::move(units), now_);
        if (auto work = node_.take_work(); !work.units.empty()) worker_.add(work);
        return true;
    }

    void listen() {
        for (int i = 0; i < most_messages && !node_.dismissed(); ++i) {
            const auto message = communicator_.poll();
            if (!message) return;
            node_.receive(*message, now_);
            heard_ = true;
        }
    }

    void pass_on_own_results() {
        auto results = worker_.take();
        if (results.empty()) return;
        heard_ = heard_ || results.size() >= node_.results_until_report();
        node_.finished_here(std::move(results), now_);
    }

    void collect() {
        if (auto results = node_.take_results(); !results.empty()) collector_->collect(std::move(results));
        collector_->tick();
    }

    // A signal, here or on another rank, or the deadline.
    void heed_wishes_to_stop() {
        if (const auto wished = std::max(stop_requested(), node_.wished()); wished > urgency_) {
            urgency_ = wished;
            exit_within(patience(urgency_));
            outcome_.by_signal = true;
            if (is_root())
                node_.stop(grace(urgency_), now_);
            else
                node_.wish_to_stop(urgency_);
        }
        if (is_root() && deadline_ && Clock::now() >= *deadline_ && !node_.settled())
            node_.stop(grace_after_deadline, now_);
    }

    // While stopping: nothing is left to wait for, or there is no more time to.
    bool may_leave() {
        worker_.clear();
        return now_ >= node_.leave_at() || (!worker_.busy() && node_.children_gone());
    }

    void farewell() {
        const double now = seconds_since(start_);
        if (is_root() && node_.settled()) node_.stop(0, now);
        node_.leave(now);
        // What is still under way may be for a rank that listens no more.
        for (const auto until = Clock::now() + longest_farewell;
             !communicator_.all_sent() && Clock::now() < until;)
            std::this_thread::sleep_for(backoff_.next());
    }

    Clock::time_point start_ = Clock::now();
    Communicator communicator_;
    Node node_;
    LocalWorker worker_;
    Collector* collector_;
    std::optional<Clock::time_point> deadline_;
    Backoff backoff_;
    Urgency urgency_ = Urgency::none;
    Outcome outcome_;
    double now_ = 0;        // of this turn, in seconds from the start
    bool heard_ = false;    // something in this turn
    bool left_out_ = false; // work that came after the end
};

} // namespace

Job Job::of(const trial::Kind& kind, const plan::Plan& plan, std::size_t weight_budget, std::size_t threads) {
    return {[&kind, plan, weight_budget] { return kind.worker(plan, weight_budget); },
            [layout = kind.layout(plan.spec()), plan](std::uint64_t network) {
                std::vector<std::byte> record(layout.bytes());
                trial::make_unmeasured(layout, plan, network, trial::Status::failed, record);
                return record;
            },
            threads};
}

Outcome run_networks(Communicator& communicator, std::vector<Unit> units, const Job& job,
                     Collector& collector, std::optional<Clock::time_point> deadline,
                     std::optional<Tree> tree) {
    Participant root(communicator, job, &collector, deadline, tree.value_or(Tree(communicator.size())));
    root.begin(std::move(units));
    return root.run();
}

void serve_networks(Communicator& communicator, const Job& job, std::optional<Clock::time_point> deadline,
                    std::optional<Tree> tree) {
    Participant(communicator, job, nullptr, deadline, tree.value_or(Tree(communicator.size()))).run();
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

} // namespace etastar::parallel

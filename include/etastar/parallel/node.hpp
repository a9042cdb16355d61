#pragma once

#include "etastar/parallel/communicator.hpp"
#include "etastar/parallel/dispatcher.hpp"
#include "etastar/parallel/pace.hpp"
#include "etastar/parallel/result.hpp"
#include "etastar/parallel/stop.hpp"
#include "etastar/parallel/tree.hpp"

#include <cstddef>
#include <deque>
#include <unordered_map>
#include <vector>

namespace etastar::parallel {

// One rank's part in a sweep: takes work from the rank above, shares it between its own worker and the ranks
// below, and passes results up. Rank 0 has all the work and nobody above; most ranks have nobody below.
//
// It never waits and has no clock: messages, results and the time (seconds from any start) are handed to it, so
// that the same code runs over MPI and in simulated time.
class Node {
public:
    // threads: of every rank's own worker.
    Node(Communicator communicator, const Tree& tree, std::size_t threads = 1);

    // Rank 0: work to do, also when what there was has been done, and the time by which it has to end.
    void add(std::vector<Unit> units, double now);
    void set_deadline(double deadline) { deadline_ = deadline; }

    void receive(const Message& message, double now);
    void finished_here(std::vector<NetworkResult>&& results, double now);

    // What is due by time: call when next_timer() has come, or at least a few times a second.
    void advance(double now);
    double next_timer() const;

    // Results of this rank's own worker after which the rank above should hear of them.
    std::size_t results_until_report() const;

    // Work for this rank's own worker since the last call.
    Work take_work();

    // Rank 0: results since the last call, each network once.
    std::vector<NetworkResult> take_results();

    // Rank 0: every network has come back, or will not be run.
    bool settled() const { return settled_ == added_; }
    std::uint64_t not_run() const { return not_run_; }

    // Rank 0: hands out nothing more and gives what runs some seconds; none, and nobody answers: the sweep is over.
    // Others get there by a message from above.
    void stop(double grace, double now);
    bool stopping() const { return stopping_; }
    bool dismissed() const { return dismissed_; }
    double leave_at() const { return leave_at_; }

    // While stopping: all that is left to wait for is this rank's own worker.
    bool children_gone() const { return byes_ == ranks_below_.size(); }

    // Sends what is unsent, and a last word to the rank above if that listens.
    void leave(double now);

    // Others than rank 0: asks for a stop. Rank 0: the most urgent that was asked for.
    void wish_to_stop(Urgency urgency);
    Urgency wished() const { return wished_; }

private:
    void accept(std::size_t child, std::vector<NetworkResult>&& results, double now);
    void hand_out(double now);
    void report(double now);
    bool is_leaf() const { return parent_ >= 0 && ranks_below_.empty(); }

    Communicator communicator_;
    int parent_;
    std::size_t threads_;
    std::vector<int> ranks_below_;
    std::unordered_map<int, std::size_t> indices_; // rank -> child of the dispatcher; 0 is this rank's worker
    Dispatcher dispatcher_;
    std::vector<std::size_t> hungry_; // children that may want work, in the order in which they came to
    std::vector<bool> is_hungry_;
    Pace pace_;
    double slack_ = 0; // as told from above
    std::vector<Unit> own_work_;

    std::vector<NetworkResult> results_; // to be passed on
    std::deque<std::size_t> batches_;    // sizes of what came from above, oldest first
    std::size_t finished_of_batch_ = 0;
    std::size_t owed_ = 0; // came from above and has not been passed back
    double last_report_ = 0;
    double next_look_ = 0; // for late children

    std::uint64_t added_ = 0;
    std::uint64_t settled_ = 0;
    std::uint64_t not_run_ = 0;
    double deadline_ = 0; // 0: none

    bool stopping_ = false;
    bool dismissed_ = false;
    double leave_at_ = 0;
    std::size_t byes_ = 0;
    Urgency wished_ = Urgency::none;
};

} // namespace etastar::parallel

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace etastar::parallel {

// A network to run, by its index in the plan's canonical order, and the seconds it is expected to take.
struct Unit {
    std::uint64_t network = 0;
    double seconds = 0;

    bool operator==(const Unit&) const = default;
};

// What a rank is given at a time.
struct Work {
    std::vector<Unit> units;
    double slack = 1; // what a network takes, as a multiple of its expected seconds, in the worst usual case
};

// Decides which networks are handed out together, to whom and when: pure bookkeeping, no communication; the time
// is an argument, in seconds from any start.
//
// A child is a rank, or a rank that leads others. A single rank with one thread owns up to two batches, so that it
// has the next one before it finishes the last, and they alternate:
//
//   - main batches come from the costly end, so that what finishes last is small, and shrink as the work runs out
//     (guided self-scheduling, Polychronopoulos and Kuck, IEEE Trans. Comput. 36, 1987): no rank waits for an
//     answer between tiny networks and none is left with a large batch at the end;
//   - fillers come from the cheap end and are only as long as the wait for the next main batch. Were they costly
//     too, the rank with the largest network would own the largest of the second round as well, and finish last.
//
// A leader owns enough for every thread behind it to have one network in hand and one waiting, and so does a rank of
// several threads. They draw from one queue, in which nothing waits behind a costly network: all its batches come
// from the costly end.
//
// A rank that is at a batch for several times as long as it may take is late, and so is a leader or a rank of several
// threads from which nothing has been heard for several times as long as its longest network: what they own is put
// back, so that one slow or dead rank delays nobody. The first result of a network counts.
class Dispatcher {
public:
    // ranks: behind each child, the child included; threads: of every rank.
    explicit Dispatcher(std::vector<double> ranks, std::size_t threads = 1);

    // More to hand out.
    void add(std::vector<Unit> units);

    // Forgets what is not handed out; returns how many that were.
    std::size_t clear();

    // Forgets what takes longer than `seconds`; returns how many networks will not be run for that.
    std::size_t drop_longer_than(double seconds);

    // True while the child owns less than it should and there is work left.
    bool wants_batch(std::size_t child) const;

    // Work for a child that wants some; empty for others.
    std::vector<Unit> next_batch(std::size_t child, double now);

    // A result from a child. False if it is not the first of this network, or was never asked for.
    bool finished(std::size_t child, std::uint64_t network, double now);

    // Puts back what late children own, `slack` times the expected seconds being usual; returns how many units.
    std::size_t put_back_late(double now, double slack);

    bool all_handed_out() const { return first_ == units_.size() - cut_; }
    std::size_t left() const { return units_.size() - cut_ - first_; }

private:
    struct Batch {
        std::size_t unfinished = 0;
        double seconds = 0; // expected, of all of it
        bool filler = false;
    };
    struct Child {
        bool leads = false;                              // other ranks
        double workers = 1;                              // threads of all ranks behind it
        std::deque<Batch> batches;                       // a single worker's, oldest first
        std::unordered_map<std::uint64_t, double> owned; // network -> expected seconds
        double owned_seconds = 0;
        // When its oldest batch began; with several workers, when it last finished something; or when it was given
        // work while it had none.
        double since = 0;
        bool late = false;
    };

    // Seconds of what is left that a child may be given at a time.
    double even_share(const Child& child) const;

    // Expected seconds of units_[first, last).
    double cost(std::size_t first, std::size_t last) const { return up_to_[last] - up_to_[first]; }

    std::vector<Unit> units_;   // by falling cost; [first_, size - cut_) are left
    std::vector<double> up_to_; // cost of units_[0, i)
    std::size_t first_ = 0;     // handed out from the costly end,
    std::size_t cut_ = 0;       // and from the cheap end
    std::vector<Child> children_;
    double workers_ = 0;                               // of all children
    std::unordered_map<std::uint64_t, bool> put_back_; // networks owned twice: true once one result is in
};

} // namespace etastar::parallel

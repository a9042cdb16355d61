#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace etastar::parallel {

// Decides which networks are handed out together and when: pure bookkeeping, no communication, no clock.
//
// Every rank owns up to two batches, so that it has the next one before it finishes the last, and they
// alternate:
//
//   - main batches come from the costly end, so that what finishes last is small, and shrink as the work runs
//   out (guided
//     self-scheduling, Polychronopoulos and Kuck, IEEE Trans. Comput. 36, 1987): no rank waits for an answer
//     between tiny networks and none is left with a large batch at the end;
//   - fillers come from the cheap end and are only as long as the wait for the next main batch. Were they
//   costly too,
//     the rank with the largest network would own the largest of the second round as well, and finish last.
class Dispatcher {
public:
    // costs: estimated seconds of every unit of work.
    Dispatcher(const std::vector<double>& costs, int ranks);

    // Units for a rank that owns fewer than two batches; empty when everything is handed out.
    std::vector<std::uint32_t> next_batch(int rank);

    // True while `rank` owns fewer than two batches and there is work left.
    bool wants_batch(int rank) const;

    // `units` of a rank's have finished; they finish in the order handed out.
    void finished(int rank, std::size_t units);

    bool all_handed_out() const { return first_ == last_; }

private:
    struct Batch {
        std::size_t units = 0; // unfinished
        bool filler = false;
    };
    struct Rank {
        Batch in_hand;
        Batch next;
    };

    // Cost of order_[first, last).
    double cost(std::size_t first, std::size_t last) const { return up_to_[last] - up_to_[first]; }

    std::vector<std::uint32_t> order_; // units by falling cost; [first_, last_) are left
    std::vector<double> up_to_;        // cost of order_[0, i)
    std::vector<Rank> ranks_;
    std::size_t first_ = 0;
    std::size_t last_ = 0;
};

} // namespace etastar::parallel

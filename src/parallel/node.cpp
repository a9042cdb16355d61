#include "etastar/parallel/node.hpp"

#include "message.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace etastar::parallel {
namespace {

// Results go up when a batch is finished, and at least this often: rows are in the file within two seconds.
constexpr double longest_silence = 0.25;
// With several threads there is no telling which batch is finished: results go up when they are this share of what
// the rank has, so that as much as it has then is left while the answer is under way.
constexpr std::size_t reported_part = 4;
// Between looks for late children.
constexpr double look_interval = 1.0;
// A rank above waits this much longer for those below.
constexpr double grace_of_messages = 0.1;

std::vector<double> ranks_behind(const Tree& tree, int rank) {
    std::vector<double> list{1.0}; // the rank itself
    for (const int child : tree.children(rank)) list.push_back(tree.weight(rank, child));
    return list;
}

} // namespace

Node::Node(Communicator communicator, const Tree& tree, std::size_t threads)
    : communicator_(std::move(communicator)),
      parent_(tree.parent(communicator_.rank())),
      threads_(threads),
      ranks_below_(tree.children(communicator_.rank())),
      dispatcher_(ranks_behind(tree, communicator_.rank()), threads),
      is_hungry_(ranks_below_.size() + 1, true) {
    for (std::size_t i = 0; i < ranks_below_.size(); ++i) indices_[ranks_below_[i]] = i + 1;
    for (std::size_t i = 0; i <= ranks_below_.size(); ++i) hungry_.push_back(i);
}

void Node::add(std::vector<Unit> units, double now) {
    added_ += units.size();
    dispatcher_.add(std::move(units));
    last_report_ = now;
    next_look_ = now + look_interval;
    hand_out(now);
}

void Node::receive(const Message& message, double now) {
    switch (message.tag) {
    case Tag::work: {
        auto work = unpack_work(message.payload);
        if (stopping_) break;
        slack_ = work.slack;
        // The time of silence begins with the first work after none.
        if (owed_ == 0) last_report_ = now;
        owed_ += work.units.size();
        batches_.push_back(work.units.size());
        if (ranks_below_.empty()) {
            std::move(work.units.begin(), work.units.end(), std::back_inserter(own_work_));
        } else {
            dispatcher_.add(std::move(work.units));
            hand_out(now);
        }
        break;
    }
    case Tag::result:
        accept(indices_.at(message.source), unpack_results(message.payload), now);
        break;
    case Tag::stop:
        stop(unpack_number(message.payload), now);
        break;
    case Tag::stop_wish:
        wish_to_stop(static_cast<Urgency>(static_cast<int>(unpack_number(message.payload))));
        break;
    case Tag::bye:
        ++byes_;
        break;
    }
}

void Node::finished_here(std::vector<NetworkResult>&& results, double now) {
    accept(0, std::move(results), now);
}

void Node::accept(std::size_t child, std::vector<NetworkResult>&& results, double now) {
    if (results.empty()) return;
    bool due = false;
    for (auto& result : results) {
        if (!result.skipped) pace_.observe(result.expected_seconds, result.seconds);
        // With nobody below there is nothing to share out: the worker has it all.
        const bool shares = parent_ < 0 || !ranks_below_.empty();
        if (shares && !dispatcher_.finished(child, result.network, now)) continue;
        if (parent_ < 0) {
            ++settled_;
            not_run_ += result.skipped;
            if (result.skipped) continue;
        } else {
            --owed_;
            if (!batches_.empty() && ++finished_of_batch_ == batches_.front()) {
                finished_of_batch_ = 0;
                batches_.pop_front();
                due = true;
            }
        }
        results_.push_back(std::move(result));
    }
    if (!is_hungry_[child]) {
        is_hungry_[child] = true;
        hungry_.push_back(child);
    }
    hand_out(now);
    if (is_leaf() && threads_ > 1) due = reported_part * results_.size() >= owed_ + results_.size();
    if (parent_ >= 0 && (due || owed_ == 0)) report(now);
}

void Node::hand_out(double now) {
    if (stopping_) return;
    const double slack = parent_ < 0 ? pace_.slack() : slack_;
    if (deadline_ > 0) {
        const auto dropped = dispatcher_.drop_longer_than(std::max(deadline_ - now, 0.0) / slack);
        settled_ += dropped;
        not_run_ += dropped;
    }
    // One batch each before anybody's second: where networks are few, every rank gets one.
    while (!dispatcher_.all_handed_out() && !hungry_.empty()) {
        std::vector<std::size_t> still;
        for (const auto child : hungry_) {
            auto batch = dispatcher_.next_batch(child, now);
            if (batch.empty() && !dispatcher_.all_handed_out()) {
                is_hungry_[child] = false;
                continue;
            }
            still.push_back(child);
            if (batch.empty()) continue;
            if (child == 0)
                std::move(batch.begin(), batch.end(), std::back_inserter(own_work_));
            else
                communicator_.send(ranks_below_[child - 1], Tag::work, pack_work({std::move(batch), slack}));
        }
        hungry_ = std::move(still);
    }
}

void Node::report(double now) {
    last_report_ = now;
    if (!results_.empty())
        communicator_.send(parent_, Tag::result, pack_results(std::exchange(results_, {})));
}

void Node::advance(double now) {
    if (parent_ >= 0 && !results_.empty() && now >= last_report_ + longest_silence) report(now);
    if (deadline_ > 0) hand_out(now); // less and less fits the time
    if (now < next_look_ || stopping_) return;
    next_look_ = now + look_interval;
    if (dispatcher_.put_back_late(now, pace_.slack()) > 0) hand_out(now);
}

double Node::next_timer() const {
    const double never = std::numeric_limits<double>::infinity();
    const double look = stopping_ || is_leaf() ? never : next_look_;
    return std::min(look, parent_ >= 0 && !results_.empty() ? last_report_ + longest_silence : never);
}

std::size_t Node::results_until_report() const {
    // A leader's come from many ranks, and it has a stock.
    if (!is_leaf() || batches_.empty()) return std::numeric_limits<std::size_t>::max();
    if (threads_ > 1) {
        const auto part = (owed_ + results_.size()) / reported_part;
        return std::max(part, results_.size() + 1) - results_.size();
    }
    return batches_.front() - finished_of_batch_;
}

Work Node::take_work() { return {std::exchange(own_work_, {}), parent_ < 0 ? pace_.slack() : slack_}; }

std::vector<NetworkResult> Node::take_results() {
    return parent_ < 0 ? std::exchange(results_, {}) : std::vector<NetworkResult>();
}

void Node::stop(double grace, double now) {
    const double leave_at = now + grace + (ranks_below_.empty() || grace == 0 ? 0 : grace_of_messages);
    if (stopping_ && leave_at >= leave_at_) return;
    stopping_ = true;
    dismissed_ = grace == 0;
    leave_at_ = leave_at;
    own_work_.clear();
    dispatcher_.clear();
    for (const int rank : ranks_below_) communicator_.send(rank, Tag::stop, pack_number(grace));
}

void Node::leave(double now) {
    if (parent_ < 0 || dismissed_) return;
    report(now);
    communicator_.send(parent_, Tag::bye, {});
}

void Node::wish_to_stop(Urgency urgency) {
    if (urgency <= wished_) return;
    wished_ = urgency;
    if (parent_ >= 0) communicator_.send(parent_, Tag::stop_wish, pack_number(static_cast<double>(urgency)));
}

} // namespace etastar::parallel

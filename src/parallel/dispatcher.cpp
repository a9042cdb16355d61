#include "etastar/parallel/dispatcher.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace etastar::parallel {
namespace {

// A batch is at most this share of an even split of what is left, ...
constexpr double share = 0.25;
// ... at most this many seconds of work for each worker, so that results arrive steadily, ...
constexpr double longest_main = 0.25;
constexpr double longest_filler = 0.02;
// ... and at most this many networks for each worker, and for a leader, so that messages stay small.
constexpr double most_units = 4096;
constexpr double most_units_of_a_leader = 32768;
constexpr double most_units_behind_a_leader = 512; // for each worker, where these are more

// A leader has at least this many seconds of work for each worker behind it: the answer to its call for more takes
// part of a second, for it reports a few times a second only.
constexpr double leader_stock = 1.0;
// A rank of several threads, as long as there is more than this many times its share of what is left.
constexpr double stock = 0.5;
constexpr double shares_in_stock = 2;

// A child is late this many seconds, and this many times the expected ones, after a batch or network began.
constexpr double least_patience = 2.0;
constexpr double patience_factor = 3.0;

double most_at_a_time(bool leads, double workers) {
    return leads ? std::max(most_units_of_a_leader, most_units_behind_a_leader * workers)
                 : most_units * workers;
}

bool costlier(const Unit& a, const Unit& b) { return a.seconds > b.seconds; }

} // namespace

Dispatcher::Dispatcher(std::vector<double> ranks, std::size_t threads)
    : up_to_(1, 0.0),
      children_(ranks.size()),
      workers_(std::accumulate(ranks.begin(), ranks.end(), 0.0) * static_cast<double>(threads)) {
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        children_[i].leads = ranks[i] > 1;
        children_[i].workers = ranks[i] * static_cast<double>(threads);
    }
}

void Dispatcher::add(std::vector<Unit> units) {
    std::stable_sort(units.begin(), units.end(), costlier);
    std::vector<Unit> merged;
    merged.reserve(left() + units.size());
    const auto begin = units_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto end = units_.end() - static_cast<std::ptrdiff_t>(cut_);
    std::merge(begin, end, units.begin(), units.end(), std::back_inserter(merged), costlier);
    units_ = std::move(merged);
    first_ = cut_ = 0;
    up_to_.assign(units_.size() + 1, 0.0);
    for (std::size_t i = 0; i < units_.size(); ++i) up_to_[i + 1] = up_to_[i] + units_[i].seconds;
}

std::size_t Dispatcher::clear() {
    const std::size_t count = left();
    first_ += count;
    return count;
}

std::size_t Dispatcher::drop_longer_than(double seconds) {
    std::size_t count = 0;
    // Of what was put back a late child may still have the result.
    for (; !all_handed_out() && units_[first_].seconds > seconds; ++first_)
        count += !put_back_.contains(units_[first_].network);
    return count;
}

bool Dispatcher::wants_batch(std::size_t index) const {
    if (all_handed_out()) return false;
    const auto& child = children_[index];
    if (child.workers == 1) return child.batches.size() < 2;
    const auto owned = static_cast<double>(child.owned.size());
    if (child.late || owned >= most_at_a_time(child.leads, child.workers)) return false;
    const double enough = child.leads ? leader_stock * child.workers
                                      : std::min(stock * child.workers, shares_in_stock * even_share(child));
    return owned < 2 * child.workers || child.owned_seconds < enough;
}

double Dispatcher::even_share(const Child& child) const {
    return share * cost(first_, units_.size() - cut_) * child.workers / workers_;
}

std::vector<Unit> Dispatcher::next_batch(std::size_t index, double now) {
    if (!wants_batch(index)) return {};
    auto& child = children_[index];
    const bool single = child.workers == 1;
    const bool filler = single && !child.batches.empty() && !child.batches.back().filler;
    std::size_t last = units_.size() - cut_;
    const double share_of_child = even_share(child);
    const double longest = std::min(share_of_child, child.workers * (filler ? longest_filler : longest_main));
    const auto limit = static_cast<std::size_t>(most_at_a_time(child.leads, child.workers));

    std::size_t begin = filler ? last - 1 : first_;
    std::size_t end = begin + 1;
    const auto room = [&] { return end - begin < limit && end - begin < last - first_; };
    if (filler) {
        while (room() && cost(begin - 1, end) <= longest) --begin;
        cut_ += end - begin;
    } else {
        // Of costly networks each worker gets one.
        const auto fits = [&] {
            const double seconds = cost(begin, end + 1);
            return seconds <= longest
                   || (static_cast<double>(end - begin) < child.workers && seconds <= share_of_child);
        };
        while (room() && fits()) ++end;
        first_ = end;
    }
    if (child.owned.empty()) child.since = now;
    std::vector<Unit> batch(units_.begin() + static_cast<std::ptrdiff_t>(begin),
                            units_.begin() + static_cast<std::ptrdiff_t>(end));
    // What was put back may return to the rank that was late with it.
    for (const auto& unit : batch)
        if (child.owned.try_emplace(unit.network, unit.seconds).second) child.owned_seconds += unit.seconds;
    if (single) child.batches.push_back({batch.size(), cost(begin, end), filler});
    return batch;
}

bool Dispatcher::finished(std::size_t index, std::uint64_t network, double now) {
    auto& child = children_[index];
    const bool ends_batch = !child.batches.empty() && --child.batches.front().unfinished == 0;
    if (ends_batch) child.batches.pop_front();
    if (child.workers > 1 || ends_batch) {
        child.since = now;
        child.late = false;
    }
    const auto owned = child.owned.find(network);
    if (owned == child.owned.end()) return false;
    child.owned_seconds -= owned->second;
    child.owned.erase(owned);
    if (child.owned.empty()) child.owned_seconds = 0;
    const auto twice = put_back_.find(network);
    return twice == put_back_.end() || !std::exchange(twice->second, true);
}

std::size_t Dispatcher::put_back_late(double now, double slack) {
    std::vector<Unit> back;
    for (auto& child : children_) {
        if (child.owned.empty() || child.late || now - child.since < least_patience) continue;
        double expected = child.batches.empty() ? 0 : child.batches.front().seconds;
        if (child.workers > 1)
            for (const auto& [network, seconds] : child.owned) expected = std::max(expected, seconds);
        if (now - child.since < least_patience + patience_factor * slack * expected) continue;
        child.late = true;
        for (const auto& [network, seconds] : child.owned)
            if (const auto twice = put_back_.try_emplace(network, false).first; !twice->second)
                back.push_back({network, seconds});
    }
    if (back.empty()) return 0;
    // The order of a hash table is nobody's business.
    std::sort(back.begin(), back.end(), [](const Unit& a, const Unit& b) { return a.network < b.network; });
    const std::size_t count = back.size();
    add(std::move(back));
    return count;
}

} // namespace etastar::parallel

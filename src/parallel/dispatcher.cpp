#include "etastar/parallel/dispatcher.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace etastar::parallel {
namespace {

// A batch is at most this share of an even split of what is left, ...
constexpr double share = 0.25;
// ... at most this many seconds of work, so that results arrive steadily, ...
constexpr double longest_main = 0.25;
constexpr double longest_filler = 0.005;
// ... and at most this many units, so that messages stay small.
constexpr std::size_t most_units = 4096;

} // namespace

Dispatcher::Dispatcher(const std::vector<double>& costs, int ranks)
    : order_(costs.size()),
      up_to_(costs.size() + 1, 0.0),
      ranks_(static_cast<std::size_t>(ranks)),
      last_(costs.size()) {
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return costs[a] > costs[b]; });
    for (std::size_t i = 0; i < order_.size(); ++i) up_to_[i + 1] = up_to_[i] + costs[order_[i]];
}

bool Dispatcher::wants_batch(int rank) const {
    return !all_handed_out() && ranks_[static_cast<std::size_t>(rank)].next.units == 0;
}

std::vector<std::uint32_t> Dispatcher::next_batch(int rank) {
    if (!wants_batch(rank)) return {};
    auto& owner = ranks_[static_cast<std::size_t>(rank)];
    const bool filler = owner.in_hand.units > 0 && !owner.in_hand.filler;
    const double even_share = share * cost(first_, last_) / static_cast<double>(ranks_.size());
    const double longest = std::min(even_share, filler ? longest_filler : longest_main);

    std::size_t begin = filler ? last_ - 1 : first_;
    std::size_t end = begin + 1;
    const auto room = [&] { return end - begin < most_units && end - begin < last_ - first_; };
    if (filler) {
        while (room() && cost(begin - 1, end) <= longest) --begin;
        last_ = begin;
    } else {
        while (room() && cost(begin, end + 1) <= longest) ++end;
        first_ = end;
    }
    (owner.in_hand.units == 0 ? owner.in_hand : owner.next) = {end - begin, filler};
    return {order_.begin() + static_cast<std::ptrdiff_t>(begin),
            order_.begin() + static_cast<std::ptrdiff_t>(end)};
}

void Dispatcher::finished(int rank, std::size_t units) {
    auto& owner = ranks_[static_cast<std::size_t>(rank)];
    if (units > owner.in_hand.units + owner.next.units)
        throw std::logic_error("a rank finished more than it was given");
    const std::size_t of_first = std::min(units, owner.in_hand.units);
    owner.in_hand.units -= of_first;
    owner.next.units -= units - of_first;
    if (owner.in_hand.units == 0) owner.in_hand = std::exchange(owner.next, {});
}

} // namespace etastar::parallel

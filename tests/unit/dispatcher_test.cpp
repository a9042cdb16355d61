#include "etastar/parallel/dispatcher.hpp"

#include "catch.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <random>
#include <set>

using etastar::parallel::Dispatcher;

namespace {

// Plays a sweep in virtual time, ranks of equal speed and no latency; returns the makespan.
double makespan(const std::vector<double>& costs, int ranks) {
    Dispatcher dispatcher(costs, ranks);
    std::vector<std::queue<std::vector<std::uint32_t>>> queues(static_cast<std::size_t>(ranks));
    std::set<std::uint32_t> seen;
    const auto supply = [&](int rank) {
        while (dispatcher.wants_batch(rank)) {
            auto batch = dispatcher.next_batch(rank);
            REQUIRE_FALSE(batch.empty());
            for (const auto unit : batch) REQUIRE(seen.insert(unit).second);
            queues[static_cast<std::size_t>(rank)].push(std::move(batch));
            if (queues[static_cast<std::size_t>(rank)].size() == 2) break;
        }
    };
    using Event = std::pair<double, int>; // when a rank is free
    std::priority_queue<Event, std::vector<Event>, std::greater<>> free;
    for (int rank = 0; rank < ranks; ++rank) {
        supply(rank);
        free.emplace(0.0, rank);
    }
    double end = 0;
    while (!free.empty()) {
        const auto [now, rank] = free.top();
        free.pop();
        auto& queue = queues[static_cast<std::size_t>(rank)];
        if (queue.empty()) continue;
        double finish = now;
        for (const auto unit : queue.front()) finish += costs[unit];
        dispatcher.finished(rank, queue.front().size());
        queue.pop();
        supply(rank);
        end = std::max(end, finish);
        free.emplace(finish, rank);
    }
    CHECK(seen.size() == costs.size());
    CHECK(dispatcher.all_handed_out());
    return end;
}

} // namespace

TEST_CASE("main batches come from the costly end, fillers from the cheap end") {
    const std::vector<double> costs{1, 5, 3, 3, 0.1, 2};
    Dispatcher dispatcher(costs, 1);
    using Batch = std::vector<std::uint32_t>;
    CHECK(dispatcher.next_batch(0) == Batch{1});
    CHECK(dispatcher.next_batch(0) == Batch{4}); // filler
    CHECK_FALSE(dispatcher.wants_batch(0));      // two batches in hand
    CHECK(dispatcher.next_batch(0).empty());
    dispatcher.finished(0, 1);
    CHECK(dispatcher.next_batch(0) == Batch{2}); // the filler is running
    dispatcher.finished(0, 1);
    CHECK(dispatcher.next_batch(0) == Batch{0}); // filler
    dispatcher.finished(0, 2);
    CHECK(dispatcher.next_batch(0) == Batch{3});
    CHECK(dispatcher.next_batch(0) == Batch{5});
    CHECK(dispatcher.all_handed_out());
    CHECK_THROWS_AS(dispatcher.finished(0, 3), std::logic_error);
}

TEST_CASE("tiny units travel together, in batches that shrink") {
    Dispatcher dispatcher(std::vector<double>(100000, 20e-6), 2);
    std::vector<std::size_t> sizes;
    while (!dispatcher.all_handed_out()) {
        const auto batch = dispatcher.next_batch(0);
        dispatcher.finished(0, batch.size());
        sizes.push_back(batch.size());
    }
    CHECK(sizes.front() == 4096);
    CHECK(sizes.back() <= 4);
    CHECK(std::is_sorted(sizes.rbegin(), sizes.rend()));
    CHECK(sizes.size() < 500);
}

TEST_CASE("the schedule is near the lower bound") {
    std::mt19937 generator(3);
    for (const int ranks : {1, 2, 5, 64}) {
        // A grid's mix: many cheap networks, few dear ones.
        std::vector<double> costs;
        for (int i = 0; i < 4000; ++i)
            costs.push_back(1e-3 * std::exp(std::normal_distribution<double>(0, 1.5)(generator)));
        const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
        const double bound = std::max(total / ranks, *std::max_element(costs.begin(), costs.end()));
        CHECK(makespan(costs, ranks) < 1.05 * bound);
    }
    CHECK(makespan(std::vector<double>(8, 1.0), 4) == 2.0);
    CHECK(makespan({1.0}, 5) == 1.0);
    CHECK(makespan({}, 3) == 0.0);
}

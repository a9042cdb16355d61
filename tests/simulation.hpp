#pragma once

#include "etastar/parallel/node.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <stdexcept>
#include <vector>

namespace etastar::test {

// What a message and a result cost; `bench/run handout` measures them.
struct Prices {
    double latency = 20e-6; // seconds from one rank to another, over a network and a kernel that was asleep
    double per_message =
        10e-6; // seconds of the receiving rank's main thread for a message, the answer included,
    double per_result = 5e-6; // and for each network in it: unpacked, accounted for and, on rank 0, written
};

struct Cluster {
    int ranks = 1;
    int threads = 1;          // of each rank
    std::optional<int> group; // ranks in a group; none: as Tree has it
    Prices prices;
    double noise = 0.1;       // relative standard deviation of a network's time
    double stragglers = 0.01; // share of the ranks that run at half speed
    double dead_slow = 0;     // speed of the last rank but one; 0: like the others
    unsigned seed = 1;
};

struct Course {
    double makespan = 0; // seconds until rank 0 has every result
    double bound =
        0; // no schedule is faster: all work over all speeds, or the longest network on the fastest rank
    double root_busy = 0; // share of the makespan in which rank 0's main thread works
    std::uint64_t messages = 0;
    std::uint64_t results = 0; // at rank 0, each network once
};

// Bytes of a message for each result without a record, in src/parallel/message.cpp.
inline constexpr std::size_t packed_result_bytes = 64;

// Plays a sweep on the very Nodes that run under MPI, in virtual time.
class Simulation {
public:
    explicit Simulation(const Cluster& cluster)
        : cluster_(cluster),
          generator_(cluster.seed),
          tree_(cluster.group ? Tree(cluster.ranks, *cluster.group) : Tree(cluster.ranks)),
          ranks_(static_cast<std::size_t>(cluster.ranks)) {
        std::bernoulli_distribution straggles(cluster.stragglers);
        for (int r = 0; r < cluster.ranks; ++r) {
            auto& rank = ranks_[static_cast<std::size_t>(r)];
            rank.node =
                std::make_unique<parallel::Node>(parallel::Communicator(std::make_shared<Wire>(*this, r)),
                                                 tree_, static_cast<std::size_t>(cluster.threads));
            if (r > 0 && straggles(generator_)) rank.speed = 0.5;
        }
        if (cluster.dead_slow > 0) ranks_.at(ranks_.size() - 2).speed = cluster.dead_slow;
    }

    // expected: what the program believes; actual: what a network takes on a rank of speed 1.
    Course run(const std::vector<double>& expected, std::vector<double> actual) {
        std::normal_distribution<double> normal;
        for (auto& seconds : actual) seconds *= std::exp(cluster_.noise * normal(generator_));
        actual_ = std::move(actual);

        std::vector<parallel::Unit> units;
        for (std::size_t i = 0; i < expected.size(); ++i) units.push_back({i, expected[i]});
        ranks_[0].node->add(std::move(units), 0);
        after(0);
        while (!ranks_[0].node->settled()) {
            if (events_.empty()) throw std::logic_error("the sweep has come to a halt");
            auto event = std::move(const_cast<Event&>(events_.top()));
            events_.pop();
            now_ = event.time;
            play(event);
        }
        Course course;
        course.makespan = now_;
        double speed = 0;
        double fastest = 0;
        for (const auto& rank : ranks_) {
            speed += rank.speed * cluster_.threads;
            fastest = std::max(fastest, rank.speed);
        }
        course.bound = std::max(std::accumulate(actual_.begin(), actual_.end(), 0.0) / speed,
                                *std::max_element(actual_.begin(), actual_.end()) / fastest);
        course.root_busy = ranks_[0].busy / now_;
        course.messages = messages_;
        course.results = results_;
        return course;
    }

private:
    using Tree = parallel::Tree;

    enum class Kind { arrival, handled, trial, timer };

    struct Event {
        double time = 0;
        std::uint64_t order = 0; // events of one time keep their order
        Kind kind = Kind::timer;
        int rank = 0;
        parallel::Message message;
        parallel::NetworkResult result;

        bool operator>(const Event& other) const {
            return time != other.time ? time > other.time : order > other.order;
        }
    };

    struct Rank {
        std::unique_ptr<parallel::Node> node;
        double speed = 1;
        double free_at = 0; // its main thread
        double busy = 0;
        std::queue<parallel::Unit> todo;
        int running = 0; // threads
        double timer = -1;
    };

    struct Wire final : parallel::Communicator::Implementation {
        Wire(Simulation& simulation, int rank) : simulation_(simulation), rank_(rank) {}
        int rank() const override { return rank_; }
        int size() const override { return simulation_.cluster_.ranks; }
        std::string description() const override { return "simulated"; }
        void send(int destination, parallel::Tag tag, std::vector<std::byte> payload) override {
            ++simulation_.messages_;
            simulation_.post(simulation_.now_ + simulation_.cluster_.prices.latency, Kind::arrival,
                             destination, {rank_, tag, std::move(payload)});
        }
        bool all_sent() override { return true; }
        std::optional<parallel::Message> poll() override { return std::nullopt; }
        std::string broadcast(std::string text) override { return text; }
        std::vector<std::string> gather(const std::string&) override {
            throw std::logic_error("not simulated");
        }
        std::shared_ptr<Implementation> duplicate() override { throw std::logic_error("not simulated"); }
        void abort(int) override { throw std::logic_error("aborted"); }

        Simulation& simulation_;
        int rank_;
    };

    void post(double time, Kind kind, int rank, parallel::Message message = {},
              parallel::NetworkResult result = {}) {
        events_.push({time, ++posted_, kind, rank, std::move(message), std::move(result)});
    }

    // The rank's main thread does one thing after the other.
    void occupy(Rank& rank, double seconds) {
        rank.free_at = std::max(rank.free_at, now_) + seconds;
        rank.busy += seconds;
    }

    void play(Event& event) {
        auto& rank = ranks_[static_cast<std::size_t>(event.rank)];
        switch (event.kind) {
        case Kind::arrival: {
            std::size_t networks = 0;
            if (event.message.tag == parallel::Tag::result)
                networks = event.message.payload.size() / packed_result_bytes;
            occupy(rank,
                   cluster_.prices.per_message + static_cast<double>(networks) * cluster_.prices.per_result);
            post(rank.free_at, Kind::handled, event.rank, std::move(event.message));
            return;
        }
        case Kind::handled:
            rank.node->receive(event.message, now_);
            break;
        case Kind::trial: {
            --rank.running;
            occupy(rank, cluster_.prices.per_result);
            std::vector<parallel::NetworkResult> results;
            results.push_back(std::move(event.result));
            rank.node->finished_here(std::move(results), now_);
            break;
        }
        case Kind::timer:
            if (event.time != rank.timer) return;
            rank.timer = -1;
            rank.node->advance(now_);
            break;
        }
        after(event.rank);
    }

    void after(int index) {
        auto& rank = ranks_[static_cast<std::size_t>(index)];
        for (const auto& unit : rank.node->take_work().units) rank.todo.push(unit);
        while (rank.running < cluster_.threads && !rank.todo.empty()) {
            const auto unit = rank.todo.front();
            rank.todo.pop();
            ++rank.running;
            parallel::NetworkResult result;
            result.network = unit.network;
            result.expected_seconds = unit.seconds;
            result.seconds = actual_[unit.network] / rank.speed;
            const double end = now_ + result.seconds;
            post(end, Kind::trial, index, {}, std::move(result));
        }
        results_ += rank.node->take_results().size();
        const double timer = std::max(rank.node->next_timer(), now_);
        if (std::isfinite(timer) && (rank.timer < now_ || timer < rank.timer)) {
            rank.timer = timer;
            post(timer, Kind::timer, index);
        }
    }

    Cluster cluster_;
    std::mt19937_64 generator_;
    Tree tree_;
    std::vector<Rank> ranks_;
    std::vector<double> actual_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    double now_ = 0;
    std::uint64_t posted_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t results_ = 0;
};

// A grid's seconds by the program's cost model and in truth, which differ by a factor for each cell.
struct Mix {
    std::vector<double> expected;
    std::vector<double> actual;

    void add_cell(std::size_t networks, double seconds, double error) {
        expected.insert(expected.end(), networks, seconds);
        actual.insert(actual.end(), networks, seconds * error);
    }
};

// Every width of 2^10 .. 2^14 with every depth of 4 .. 64, by the dense engine: 7 ms to half a minute a network.
inline Mix dense_mix(std::size_t networks_per_cell) {
    Mix mix;
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> error(0.7, 1.4);
    for (int w = 10; w <= 14; ++w)
        for (int depth = 4; depth <= 64; depth *= 2)
            mix.add_cell(networks_per_cell, 1.7e-9 * std::pow(4.0, w) * depth, error(generator));
    return mix;
}

// Every width of 2^10 .. 2^18 with every depth of 8 .. 256, by the implicit engine: 70 us to half a second.
inline Mix implicit_mix(std::size_t networks_per_cell) {
    Mix mix;
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> error(0.7, 1.4);
    for (int w = 10; w <= 18; w += 2)
        for (int depth = 8; depth <= 256; depth *= 2)
            mix.add_cell(networks_per_cell, 8.4e-9 * std::pow(2.0, w) * depth, error(generator));
    return mix;
}

} // namespace etastar::test

// What handing out work costs rank 0: `mpirun -n 2 etastar_handout FOLDER`. Rank 1 floods it with messages the size
// of results; for each, rank 0 takes the message from MPI, does the bookkeeping of a sweep on 10,240 ranks, sends
// work back and writes the rows to a sweep's file in FOLDER. Prints latency (us), seconds of rank 0 per message and
// per result in it (us).
#include "etastar/io/sweep_file.hpp"
#include "etastar/parallel/mpi.hpp"
#include "etastar/parallel/node.hpp"

#include "parallel/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <utility>
#include <vector>

using namespace etastar;
using parallel::Communicator;
using parallel::Message;
using parallel::Tag;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int ranks = 10240;
constexpr int messages = 5000;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rank 0 of many: what it sends goes to rank 1, and is remembered as the receiver's.
struct Crowd final : Communicator::Implementation {
    explicit Crowd(Communicator real) : real_(std::move(real)) {}
    int rank() const override { return 0; }
    int size() const override { return ranks; }
    std::string description() const override { return real_.description(); }
    void send(int destination, Tag tag, std::vector<std::byte> payload) override {
        if (tag == Tag::work) {
            for (const auto& unit : parallel::unpack_work(payload).units)
                owned.push_back({destination, unit});
        }
        real_.send(1, tag, std::move(payload));
    }
    bool all_sent() override { return real_.all_sent(); }
    std::optional<Message> poll() override { return real_.poll(); }
    std::string broadcast(std::string text) override { return text; }
    std::vector<std::string> gather(const std::string& text) override {
        return std::vector<std::string>(ranks, text);
    }
    std::shared_ptr<Implementation> duplicate() override {
        return std::make_shared<Crowd>(real_.duplicate());
    }
    void abort(int code) override { real_.abort(code); }

    std::deque<std::pair<int, parallel::Unit>> owned;

private:
    Communicator real_;
};

plan::Plan plan_of(std::uint64_t networks) {
    sweep::Spec spec;
    spec.width = {1024};
    spec.depth = {16};
    spec.eta.assign(16, 0);
    for (std::size_t k = 0; k < spec.eta.size(); ++k) spec.eta[k] = 0.1 * static_cast<double>(k + 1);
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = networks;
    spec.model.input_dim = 64;
    return plan::Plan(spec);
}

parallel::NetworkResult result_of(const plan::Plan& plan, std::uint64_t network) {
    const auto layout = trial::find_kind(plan.spec().trial).layout(plan.spec());
    parallel::NetworkResult result;
    result.network = network;
    result.record.resize(layout.bytes());
    make_unmeasured(layout, plan, network, trial::Status::done, result.record);
    return result;
}

// Round trip, halved.
double latency(Communicator& world) {
    constexpr int rounds = 2000;
    const auto start = Clock::now();
    const auto wait = [&] {
        while (!world.poll()) {
        }
    };
    for (int i = 0; i < rounds; ++i) {
        if (world.rank() == 0) {
            world.send(1, Tag::work, std::vector<std::byte>(64));
            wait();
        } else {
            wait();
            world.send(0, Tag::result, std::vector<std::byte>(64));
        }
    }
    return seconds_since(start) / rounds / 2;
}

struct Price {
    double seconds = 0; // of rank 0 for a message
    double results = 1; // in it
};

// Messages with up to `results` networks.
Price serve(Communicator& world, std::size_t results, const std::filesystem::path& folder) {
    const auto plan = plan_of(messages * results + 4 * ranks);
    if (world.rank() == 1) {
        std::vector<parallel::NetworkResult> batch;
        for (std::size_t k = 0; k < results; ++k) batch.push_back(result_of(plan, k));
        const auto payload = parallel::pack_results(batch);
        for (int i = 0; i < messages; ++i) {
            world.send(0, Tag::result, payload);
            while (!world.all_sent()) world.poll();
        }
        while (true)
            if (const auto message = world.poll(); message && message->tag == Tag::stop) return {};
    }
    auto crowd = std::make_shared<Crowd>(world);
    parallel::Node node{Communicator(crowd), parallel::Tree(ranks, ranks)};
    auto file = io::SweepFile::create(folder / "handout.h5", plan, {}, true);
    std::vector<parallel::Unit> units;
    for (std::uint64_t i = 0; i < plan.networks(); ++i) units.push_back({i, results == 1 ? 1.0 : 1e-3});
    node.add(std::move(units), 0);
    node.take_work();

    // Prepared: a result for every network somebody owns, in the owner's name.
    std::chrono::duration<double> busy{0};
    std::uint64_t served = 0;
    for (int i = 0; i < messages; ++i) {
        std::vector<parallel::NetworkResult> batch;
        const int owner = crowd->owned.front().first;
        while (batch.size() < results && !crowd->owned.empty() && crowd->owned.front().first == owner) {
            batch.push_back(result_of(plan, crowd->owned.front().second.network));
            crowd->owned.pop_front();
        }
        Message mine{owner, Tag::result, parallel::pack_results(batch)};
        const auto start = Clock::now();
        while (!world.poll()) {
        }
        const auto received = Clock::now();
        node.receive(mine, 0);
        auto collected = node.take_results();
        std::sort(collected.begin(), collected.end(),
                  [](const auto& a, const auto& b) { return a.network < b.network; });
        std::vector<io::FinishedNetwork> networks;
        for (const auto& each : collected) networks.push_back({each.network, each.record});
        file.write_networks(networks);
        const auto end = Clock::now();
        // Waiting for rank 1 is not work; what the last poll took is.
        busy += (end - received) + std::min<Clock::duration>(received - start, std::chrono::microseconds(20));
        served += collected.size();
    }
    world.send(1, Tag::stop, {});
    return {busy.count() / messages, static_cast<double>(served) / messages};
}

} // namespace

int main(int argc, char** argv) {
    parallel::MpiSession mpi;
    auto world = mpi.world();
    if (world.size() != 2) world.abort(2);
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    const double way = latency(world);
    const auto one = serve(world, 1, folder);
    world.broadcast("");
    const auto several = serve(world, 64, folder);
    if (world.rank() == 0) {
        const double each = (several.seconds - one.seconds) / (several.results - one.results);
        fmt::print("{:.2f} {:.2f} {:.2f}\n", 1e6 * way, 1e6 * (one.seconds - each * one.results), 1e6 * each);
        std::filesystem::remove(folder / "handout.h5");
    }
    return 0;
}

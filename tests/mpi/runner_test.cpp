#include "etastar/parallel/runner.hpp"

#include "catch.hpp"
#include "mpi/world.hpp"
#include "support.hpp"

#include <chrono>
#include <cstring>
#include <map>
#include <new>
#include <numeric>
#include <stdexcept>
#include <thread>

using namespace etastar;
using parallel::NetworkResult;

namespace {

struct Collected final : parallel::Collector {
    std::map<std::uint64_t, NetworkResult> results;
    std::size_t duplicates = 0;
    std::size_t ticks = 0;
    parallel::Outcome outcome;

    void collect(std::vector<NetworkResult>&& batch) override {
        for (auto& result : batch) {
            const auto network = result.network;
            if (!results.emplace(network, std::move(result)).second) ++duplicates;
        }
    }
    void tick() override { ++ticks; }
};

std::vector<parallel::Unit> units_of(const sweep::Spec& spec, double seconds) {
    std::vector<parallel::Unit> units;
    for (std::uint64_t i = 0; i < spec.networks(); ++i) units.push_back({i, seconds});
    return units;
}

// Runs a sweep on all ranks; the result is rank 0's, empty elsewhere.
Collected run(const sweep::Spec& spec, const parallel::EngineFactory& factory,
              std::optional<parallel::Tree> tree = {},
              std::optional<parallel::Clock::time_point> deadline = {}, double seconds = 1e-3) {
    Collected collected;
    auto& world = test::world();
    if (world.rank() == 0)
        collected.outcome =
            parallel::run_networks(world, spec, units_of(spec, seconds), factory, collected, deadline, tree);
    else
        parallel::serve_networks(world, spec, factory, deadline, tree);
    return collected;
}

// Results that name their network; fails or dawdles where told.
class FakeEngine final : public engine::Engine {
public:
    engine::NetworkOutcome run(const network::NetworkId& id, std::span<const double> rates) override {
        if (id.seed % 7 == 3) throw std::runtime_error("planted failure");
        if (id.seed % 7 == 4) throw std::bad_alloc();
        if (id.seed % 5 == 2) std::this_thread::sleep_for(std::chrono::milliseconds(3));
        engine::NetworkOutcome outcome;
        outcome.target = 1;
        outcome.output = static_cast<double>(id.seed);
        outcome.response.assign(id.depth, static_cast<double>(id.width));
        outcome.steps.resize(rates.size());
        return outcome;
    }
};

} // namespace

TEST_CASE("every network is run once and comes back whole") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    spec.profile = true;
    const auto collected = run(spec, [] { return std::make_unique<FakeEngine>(); });
    if (test::world().rank() != 0) return;
    CHECK(collected.results.size() == spec.networks());
    CHECK(collected.duplicates == 0);
    CHECK(collected.ticks > 0);
    for (const auto& [index, result] : collected.results) {
        const auto id = spec.network(index);
        REQUIRE(result.rows.size() == spec.eta.size());
        const bool fails = id.seed % 7 == 3 || id.seed % 7 == 4;
        CHECK(result.error
              == (id.seed % 7 == 3   ? "planted failure"
                  : id.seed % 7 == 4 ? "out of memory"
                                     : ""));
        CHECK(result.response.size() == (fails ? 0 : id.depth));
        for (std::size_t k = 0; k < spec.eta.size(); ++k) {
            const auto& row = result.rows[k];
            CHECK(sweep::intact(row));
            CHECK(row.status == (fails ? sweep::Status::failed : sweep::Status::done));
            CHECK(row.width == id.width);
            CHECK(row.depth == id.depth);
            CHECK(row.seed == id.seed);
            CHECK(row.eta == spec.eta[k]);
            if (!fails) CHECK(row.output == static_cast<double>(id.seed));
        }
    }
}

TEST_CASE("results do not depend on the number of ranks") {
    auto spec = test::small_spec();
    spec.seeds = 20;
    const parallel::EngineFactory factory = [&spec] { return engine::make_engine(spec); };
    const auto collected = run(spec, factory);
    if (test::world().rank() != 0) return;
    const auto engine = engine::make_engine(spec);
    for (const auto& [index, result] : collected.results) {
        const auto id = spec.network(index);
        const auto expected = engine::trial_rows(id, spec.eta, engine->run(id, spec.eta));
        REQUIRE(result.rows.size() == expected.size());
        CHECK(std::memcmp(result.rows.data(), expected.data(), expected.size() * sizeof(expected[0])) == 0);
    }
}

TEST_CASE("groups of ranks with leaders change nothing") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    spec.profile = true;
    const auto flat = run(spec, [] { return std::make_unique<FakeEngine>(); });
    for (const int group : {1, 2, 3}) {
        const auto grouped = run(
            spec, [] { return std::make_unique<FakeEngine>(); }, parallel::Tree(test::world().size(), group));
        if (test::world().rank() != 0) continue;
        CHECK(grouped.results.size() == spec.networks());
        CHECK(grouped.duplicates == 0);
        for (const auto& [index, result] : grouped.results) {
            const auto& other = flat.results.at(index);
            CHECK(result.error == other.error);
            CHECK(
                std::memcmp(result.rows.data(), other.rows.data(), other.rows.size() * sizeof(other.rows[0]))
                == 0);
        }
    }
}

TEST_CASE("no network is started that would not end before the deadline") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    const auto factory = [] { return std::make_unique<FakeEngine>(); };
    const auto soon = parallel::Clock::now() + std::chrono::seconds(2);
    // Believed to take hours.
    const auto none = run(spec, factory, {}, soon, 1e4);
    // Believed to take no time.
    const auto all = run(spec, factory, {}, soon + std::chrono::seconds(60), 1e-4);
    if (test::world().rank() != 0) return;
    CHECK(none.results.empty());
    CHECK(none.outcome.stopped);
    CHECK(none.outcome.not_run == spec.networks());
    CHECK(all.results.size() == spec.networks());
    CHECK_FALSE(all.outcome.stopped);
}

TEST_CASE("fewer networks than ranks, and none") {
    auto spec = test::small_spec();
    spec.width = {4};
    spec.depth = {2};
    spec.seeds = 1;
    const auto one = run(spec, [] { return std::make_unique<FakeEngine>(); });
    if (test::world().rank() == 0) CHECK(one.results.size() == 1);

    Collected none;
    if (test::world().rank() == 0)
        parallel::run_networks(
            test::world(), spec, {}, [] { return std::make_unique<FakeEngine>(); }, none);
    else
        parallel::serve_networks(test::world(), spec, [] { return std::make_unique<FakeEngine>(); });
    CHECK(none.results.empty());
}

TEST_CASE("large messages in both directions do not lock up") {
    auto spec = test::small_spec();
    spec.depth = {2000};
    spec.seeds = 300;
    spec.profile = true; // 16 kB a network, far beyond any eager limit
    const auto collected = run(spec, [] { return std::make_unique<FakeEngine>(); });
    if (test::world().rank() == 0) CHECK(collected.results.size() == spec.networks());
}

TEST_CASE("text is broadcast from rank 0") {
    const std::string text = test::world().rank() == 0 ? std::string(100000, 'x') : "mine";
    CHECK(test::world().broadcast(text) == std::string(100000, 'x'));
    CHECK(test::world().broadcast("") == "");
}

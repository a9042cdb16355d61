#include "etastar/engine/blas.hpp"
#include "etastar/parallel/runner.hpp"

#include "catch.hpp"
#include "support.hpp"
#include "world.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
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

std::vector<parallel::Unit> units_of(const plan::Plan& plan, double seconds) {
    std::vector<parallel::Unit> units;
    for (std::uint64_t i = 0; i < plan.networks(); ++i) units.push_back({i, seconds});
    return units;
}

// Runs a sweep on all ranks; the result is rank 0's, empty elsewhere.
Collected run(const plan::Plan& plan, const parallel::Job& job, std::optional<parallel::Tree> tree = {},
              std::optional<parallel::Clock::time_point> deadline = {}, double seconds = 1e-3) {
    Collected collected;
    auto& world = test::world();
    if (world.rank() == 0)
        collected.outcome =
            parallel::run_networks(world, units_of(plan, seconds), job, collected, deadline, tree);
    else
        parallel::serve_networks(world, job, deadline, tree);
    return collected;
}

const trial::Kind& first_step() { return trial::find_kind("first-step"); }

// Records that name their network; fails or dawdles where told.
class FakeWorker : public trial::Worker {
public:
    explicit FakeWorker(plan::Plan plan) : plan_(std::move(plan)) {}

    std::vector<std::byte> run(std::uint64_t network) override {
        const auto id = plan_.id(network);
        if (id.seed % 7 == 3) throw std::runtime_error("planted failure");
        if (id.seed % 7 == 4) throw std::bad_alloc();
        if (id.seed % 5 == 2) std::this_thread::sleep_for(std::chrono::milliseconds(3));
        return test::made_up_record(plan_, first_step().layout(plan_.spec()), network,
                                    static_cast<double>(id.seed));
    }

private:
    plan::Plan plan_;
};

parallel::Job fake_job(const plan::Plan& plan) {
    auto job = parallel::Job::of(first_step(), plan, engine::default_weight_budget);
    job.make_worker = [plan] { return std::make_unique<FakeWorker>(plan); };
    return job;
}
Collected run_fake(const plan::Plan& plan) { return run(plan, fake_job(plan)); }

} // namespace

TEST_CASE("every network is run once and comes back whole") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    spec.response_profile = true;
    const plan::Plan plan(spec);
    const auto layout = first_step().layout(spec);
    const auto collected = run_fake(plan);
    if (test::world().rank() != 0) return;
    CHECK(collected.results.size() == spec.networks());
    CHECK(collected.duplicates == 0);
    CHECK(collected.ticks > 0);
    for (const auto& [index, result] : collected.results) {
        const auto id = plan.id(index);
        REQUIRE(result.record.size() == layout.bytes());
        const bool fails = id.seed % 7 == 3 || id.seed % 7 == 4;
        CHECK(result.error
              == (id.seed % 7 == 3   ? "planted failure"
                  : id.seed % 7 == 4 ? "out of memory"
                                     : ""));
        for (const double response : test::rows_of<double>(layout.table(result.record, 0)))
            CHECK((fails ? std::isnan(response) : response == static_cast<double>(id.seed)));
        const auto rows = test::rows_of<>(layout.rows(result.record));
        for (std::size_t k = 0; k < spec.eta.size(); ++k) {
            const auto& row = rows[k];
            CHECK(test::intact(row));
            CHECK(row.end.status == (fails ? trial::Status::failed : trial::Status::done));
            CHECK(row.width == id.width);
            CHECK(row.depth == id.depth);
            CHECK(row.seed == id.seed);
            CHECK(row.eta == spec.eta[k]);
            if (!fails) CHECK(row.dz2_last == static_cast<double>(id.seed));
        }
    }
}

TEST_CASE("results do not depend on the number of ranks") {
    auto spec = test::small_spec();
    spec.seeds = 20;
    const plan::Plan plan(spec);
    const auto collected = run(plan, parallel::Job::of(first_step(), plan, engine::default_weight_budget));
    if (test::world().rank() != 0) return;
    CHECK(collected.results.size() == spec.networks());
    const auto engine =
        engine::make_engine({.model = spec.model, .kind = spec.engine, .precision = spec.precision});
    for (const auto& [index, result] : collected.results) {
        const auto id = plan.id(index);
        const auto expected = trial::first_step_rows(id, spec.eta, engine->run(id, spec.eta));
        CHECK(test::same_bytes(test::rows_of<>(result.record), expected));
    }
}

TEST_CASE("threads change nothing") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    spec.response_profile = true;
    const plan::Plan plan(spec);
    const auto one = run_fake(plan);
    for (const std::size_t threads : {2, 5})
        for (const int group : {1, 100}) {
            auto job = fake_job(plan);
            job.threads = threads;
            const auto several = run(plan, job, parallel::Tree(test::world().size(), group));
            if (test::world().rank() != 0) continue;
            CHECK(several.results.size() == spec.networks());
            CHECK(several.duplicates == 0);
            for (const auto& [index, result] : several.results) {
                CHECK(result.error == one.results.at(index).error);
                CHECK(result.record == one.results.at(index).record);
            }
        }
}

TEST_CASE("engines give the same bits in several threads") {
    engine::load_blas(3);
    for (const auto kind : {engine::EngineKind::dense, engine::EngineKind::implicit})
        for (const auto* trial : {"first-step", "training"}) {
            auto spec = test::small_spec();
            spec.engine = kind;
            spec.width = {30, 130};
            spec.trial = trial;
            spec.training.steps = 3;
            spec.seeds = 6;
            const plan::Plan plan(spec);
            const auto job = [&](std::size_t threads) {
                return parallel::Job::of(trial::find_kind(trial), plan, engine::default_weight_budget,
                                         threads);
            };
            const auto one = run(plan, job(1));
            const auto three = run(plan, job(3));
            if (test::world().rank() != 0) continue;
            REQUIRE(three.results.size() == spec.networks());
            for (const auto& [index, result] : three.results) {
                CHECK(result.error.empty());
                CHECK(result.record == one.results.at(index).record);
            }
        }
}

TEST_CASE("as many trials run at a time as there are threads") {
    auto spec = test::small_spec();
    spec.seeds = 3;
    const plan::Plan plan(spec);
    std::latch all_there(3);
    std::atomic<int> begun{0};
    // The first three trials wait for one another.
    struct Waiting final : FakeWorker {
        Waiting(const plan::Plan& plan, std::latch& latch, std::atomic<int>& count)
            : FakeWorker(plan), all_there(latch), begun(count) {}
        std::vector<std::byte> run(std::uint64_t network) override {
            if (begun++ < 3) all_there.arrive_and_wait();
            return FakeWorker::run(network);
        }
        std::latch& all_there;
        std::atomic<int>& begun;
    };
    auto job = fake_job(plan);
    job.threads = 3;
    job.make_worker = [&] { return std::make_unique<Waiting>(plan, all_there, begun); };
    parallel::Communicator alone;
    Collected collected;
    parallel::run_networks(alone, units_of(plan, 1), job, collected);
    CHECK(collected.results.size() == spec.networks());
}

TEST_CASE("a network that finds no memory beside others is run alone") {
    auto spec = test::small_spec();
    spec.seeds = 40;
    const plan::Plan plan(spec);
    static std::atomic<int> workers;
    static std::atomic<int> refusals;
    workers = refusals = 0;
    // Some networks need all the memory, which other workers hold a part of.
    struct Large final : FakeWorker {
        explicit Large(const plan::Plan& plan) : FakeWorker(plan) { ++workers; }
        ~Large() override { --workers; }
        std::vector<std::byte> run(std::uint64_t network) override {
            if (network % 9 == 5 && workers > 1) {
                ++refusals;
                throw std::bad_alloc();
            }
            return FakeWorker::run(network);
        }
    };
    auto job = fake_job(plan);
    job.make_worker = [&plan] { return std::make_unique<Large>(plan); };
    parallel::Communicator alone;
    const auto collect = [&](std::size_t threads) {
        job.threads = threads;
        Collected collected;
        parallel::run_networks(alone, units_of(plan, 1e-3), job, collected);
        return collected;
    };
    const auto one = collect(1);
    CHECK(refusals == 0);
    const auto four = collect(4);
    CHECK(refusals > 0);
    CHECK(workers == 0);
    REQUIRE(four.results.size() == spec.networks());
    for (const auto& [index, result] : four.results) {
        CHECK(result.error == one.results.at(index).error);
        CHECK(result.record == one.results.at(index).record);
    }
}

TEST_CASE("what goes wrong outside trials is told, whichever thread it happens in") {
    const plan::Plan plan(test::small_spec());
    for (const int bad : {1, 3}) {
        auto job = fake_job(plan);
        job.threads = 3;
        // A thread may begin when the others have ended the sweep.
        job.make_worker = [made = std::make_shared<std::atomic<int>>(0), bad, make_worker = job.make_worker] {
            if (++*made == bad) throw std::runtime_error("planted error");
            return make_worker();
        };
        parallel::Communicator alone;
        Collected collected;
        // Others may have finished everything before the third has begun.
        bool thrown = false;
        try {
            parallel::run_networks(alone, units_of(plan, 1e4), job, collected);
        } catch (const std::runtime_error& error) {
            thrown = std::string(error.what()) == "planted error";
        }
        CHECK((thrown || collected.results.size() == plan.networks()));
    }
}

TEST_CASE("groups of ranks with leaders change nothing") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    spec.response_profile = true;
    const plan::Plan plan(spec);
    const auto flat = run_fake(plan);
    for (const int group : {1, 2, 3}) {
        const auto grouped = run(plan, fake_job(plan), parallel::Tree(test::world().size(), group));
        if (test::world().rank() != 0) continue;
        CHECK(grouped.results.size() == spec.networks());
        CHECK(grouped.duplicates == 0);
        for (const auto& [index, result] : grouped.results) {
            const auto& other = flat.results.at(index);
            CHECK(result.error == other.error);
            CHECK(result.record == other.record);
        }
    }
}

namespace {

// Hands out the networks of a plan in rounds.
struct InRounds final : parallel::Collector {
    std::uint64_t handed_out = 0;
    std::uint64_t networks = 0;
    std::uint64_t of_round = 0;
    std::vector<std::uint64_t> collected;
    bool early = false; // a result of a round before the one before it was whole

    void collect(std::vector<NetworkResult>&& batch) override {
        for (const auto& result : batch) {
            collected.push_back(result.network);
            early = early || result.network >= handed_out;
        }
    }
    std::vector<parallel::Unit> more() override {
        early = early || collected.size() != handed_out;
        std::vector<parallel::Unit> units;
        for (; handed_out < networks && units.size() < of_round; ++handed_out)
            units.push_back({handed_out, 1e-3});
        return units;
    }
};

} // namespace

TEST_CASE("work may come in rounds, each after the one before it") {
    auto spec = test::small_spec();
    spec.seeds = 30;
    const plan::Plan plan(spec);
    for (const int group : {1, 2, 1000}) {
        InRounds rounds;
        rounds.networks = plan.networks();
        rounds.of_round = 17;
        const parallel::Tree tree(test::world().size(), group);
        if (test::world().rank() == 0) {
            const auto outcome = parallel::run_networks(test::world(), {}, fake_job(plan), rounds, {}, tree);
            CHECK_FALSE(outcome.stopped);
            CHECK(rounds.collected.size() == plan.networks());
            CHECK_FALSE(rounds.early);
            std::sort(rounds.collected.begin(), rounds.collected.end());
            CHECK(std::adjacent_find(rounds.collected.begin(), rounds.collected.end())
                  == rounds.collected.end());
        } else {
            parallel::serve_networks(test::world(), fake_job(plan), {}, tree);
        }
    }
}

TEST_CASE("no network is started that would not end before the deadline") {
    auto spec = test::small_spec();
    spec.seeds = 50;
    const plan::Plan plan(spec);
    const auto soon = parallel::Clock::now() + std::chrono::seconds(2);
    // Believed to take hours.
    const auto none = run(plan, fake_job(plan), {}, soon, 1e4);
    // Believed to take no time.
    const auto all = run(plan, fake_job(plan), {}, soon + std::chrono::seconds(60), 1e-4);
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
    const plan::Plan plan(spec);
    const auto one = run_fake(plan);
    if (test::world().rank() == 0) CHECK(one.results.size() == 1);

    Collected none;
    if (test::world().rank() == 0)
        parallel::run_networks(test::world(), {}, fake_job(plan), none);
    else
        parallel::serve_networks(test::world(), fake_job(plan));
    CHECK(none.results.empty());
}

TEST_CASE("large messages in both directions do not lock up") {
    auto spec = test::small_spec();
    spec.depth = {2000};
    spec.seeds = 300;
    spec.response_profile = true; // 16 kB a network, far beyond any eager limit
    const auto collected = run_fake(plan::Plan(spec));
    if (test::world().rank() == 0) CHECK(collected.results.size() == spec.networks());
}

TEST_CASE("text is broadcast from rank 0") {
    const std::string text = test::world().rank() == 0 ? std::string(100000, 'x') : "mine";
    CHECK(test::world().broadcast(text) == std::string(100000, 'x'));
    CHECK(test::world().broadcast("") == "");
}

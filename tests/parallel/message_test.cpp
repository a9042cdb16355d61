#include "catch.hpp"
#include "parallel/message.hpp"
#include "simulation.hpp"

using namespace etastar;

TEST_CASE("work and results survive the journey") {
    const parallel::Work work{{{0, 0.5}, {7, 1e-6}, {~std::uint64_t{0}, 3600}}, 1.75};
    const auto unpacked = parallel::unpack_work(parallel::pack_work(work));
    CHECK(unpacked.units == work.units);
    CHECK(unpacked.slack == work.slack);
    CHECK(parallel::unpack_number(parallel::pack_number(0.15)) == 0.15);

    std::vector<parallel::NetworkResult> results(2);
    results[0].network = 3;
    results[0].record = {std::byte{1}, std::byte{0}, std::byte{255}};
    results[1].network = 1;
    results[1].error = "out of memory";
    results[1].skipped = true;
    results[1].expected_seconds = 0.25;
    results[1].seconds = 0.75;
    const auto back = parallel::unpack_results(parallel::pack_results(results));
    REQUIRE(back.size() == 2);
    CHECK(back[0].network == 3);
    CHECK(back[0].record == results[0].record);
    CHECK(back[1].record.empty());
    CHECK(back[1].error == "out of memory");
    CHECK_FALSE(back[0].skipped);
    CHECK(back[1].skipped);
    CHECK(back[1].expected_seconds == 0.25);
    CHECK(back[1].seconds == 0.75);
    CHECK(parallel::unpack_results({}).empty());
}

TEST_CASE("a message cut short is noticed") {
    std::vector<parallel::NetworkResult> results(1);
    results[0].record.resize(128);
    auto bytes = parallel::pack_results(results);
    for (const std::size_t size : {1ul, 8ul, 20ul, bytes.size() - 1}) {
        bytes.resize(size);
        CHECK_THROWS_AS(parallel::unpack_results(bytes), std::runtime_error);
        bytes = parallel::pack_results(results);
    }
}

TEST_CASE("messages have the length that the simulated hand-out reckons with") {
    const std::vector<parallel::NetworkResult> results(3);
    CHECK(parallel::pack_results(results).size() == 3 * test::packed_result_bytes);
}

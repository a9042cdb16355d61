#include "etastar/error.hpp"
#include "etastar/plan/shards.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <algorithm>
#include <random>

using namespace etastar;

namespace {

std::vector<plan::Part> parts_of(const sweep::Spec& whole, std::uint64_t count, bool say_whole = true) {
    std::vector<plan::Part> parts;
    for (std::uint64_t i = 1; i <= count; ++i)
        parts.push_back({"part" + std::to_string(i), plan::shard(whole, i, count),
                         say_whole ? to_json(whole) : std::string()});
    return parts;
}

// Of joining; the parts in any order.
std::string refusal(std::vector<plan::Part> parts) {
    return test::refusal_of<FileError>([&] { plan::join(parts); });
}

bool mentions(const std::string& text, std::initializer_list<const char*> words) {
    return std::all_of(words.begin(), words.end(),
                       [&](const char* word) { return text.find(word) != std::string::npos; });
}

} // namespace

TEST_CASE("shards are a partition of the seeds, as even as can be, and joining inverts it") {
    std::mt19937 generator(3);
    for (const std::uint64_t seeds : {1u, 2u, 7u, 64u, 1000u})
        for (const std::uint64_t first :
             {std::uint64_t{0}, std::uint64_t{12345}, ~std::uint64_t{0} - (seeds - 1)})
            for (const std::uint64_t count : {1u, 2u, 3u, 5u, 7u, 63u, 64u, 999u, 1000u}) {
                if (count > seeds) continue;
                auto whole = test::small_spec();
                whole.seeds = seeds;
                whole.first_seed = first;
                INFO(seeds << " seeds from " << first << " in " << count);
                auto parts = parts_of(whole, count);
                std::uint64_t next = first;
                std::uint64_t sum = 0;
                for (const auto& part : parts) {
                    CHECK(part.first() == next);
                    CHECK(part.last() - part.first() + 1 == part.spec.seeds);
                    CHECK(part.spec.seeds >= seeds / count);
                    CHECK(part.spec.seeds <= (seeds + count - 1) / count);
                    CHECK_NOTHROW(sweep::validate(part.spec));
                    next += part.spec.seeds;
                    sum += part.spec.seeds;
                    auto same = part.spec;
                    same.seeds = whole.seeds;
                    same.first_seed = whole.first_seed;
                    CHECK(same == whole);
                }
                CHECK(sum == seeds);
                for (const bool say_whole : {true, false}) {
                    parts = parts_of(whole, count, say_whole);
                    std::shuffle(parts.begin(), parts.end(), generator);
                    CHECK(plan::join(parts) == whole);
                    CHECK(std::is_sorted(parts.begin(), parts.end(),
                                         [](const auto& a, const auto& b) { return a.first() < b.first(); }));
                }
            }
}

TEST_CASE("shards that do not exist are refused") {
    const auto whole = test::small_spec(); // 5 seeds
    CHECK_THROWS_AS(plan::shard(whole, 0, 3), UsageError);
    CHECK_THROWS_AS(plan::shard(whole, 4, 3), UsageError);
    CHECK_THROWS_AS(plan::shard(whole, 1, 6), UsageError);
    CHECK_THROWS_AS(plan::shard(whole, 1, ~std::uint64_t{0}), UsageError);
    CHECK_THROWS_AS(plan::shard(whole, 0, 0), UsageError);
}

TEST_CASE("parts of other sweeps, overlaps and gaps are refused by name") {
    auto whole = test::small_spec();
    whole.seeds = 30;
    whole.first_seed = ~std::uint64_t{0} - 29;
    const auto parts = parts_of(whole, 3);
    REQUIRE(refusal(parts).empty());
    const auto with = [&](auto change) {
        auto changed = parts;
        change(changed);
        return refusal(changed);
    };
    for (const bool say_whole : {true, false}) {
        const auto these = parts_of(whole, 3, say_whole);
        const auto gap = refusal({these[2], these[0]});
        CHECK(mentions(gap, {"18446744073709551596 to 18446744073709551605", "part1", "part3"}));
        CHECK(mentions(refusal({these[2], these[1], these[0], these[1]}), {"part2", "both have"}));
    }
    CHECK(mentions(with([](auto& p) { p[1].spec.depth.back() += 1; }), {"part2", "part1", "depth"}));
    CHECK(mentions(with([](auto& p) { p[2].spec.model.train = model::Train::first; }), {"part3", "train"}));
    CHECK(mentions(with([](auto& p) { p[2].spec.trial = "toy"; }), {"part3", "trial"}));
    CHECK(mentions(with([](auto& p) { ++p[1].spec.seeds; }), {"part2 and part3 both have seed "}));
    CHECK(mentions(with([](auto& p) { --p[1].spec.seeds; }), {"seed ", "between part2 and part3"}));
    CHECK(mentions(with([](auto& p) { p.erase(p.begin()); }), {"part2 is the first"}));
    CHECK(mentions(with([](auto& p) { p.pop_back(); }), {"part2 is the last"}));
    auto other = whole;
    --other.seeds;
    CHECK(mentions(with([&](auto& p) { p[1].whole = to_json(other); }), {"part2", "whole"}));
    CHECK(mentions(with([](auto& p) { p[0].whole.clear(); }), {"whole"}));
    // One part inside another: the later one ends first.
    CHECK(mentions(with([](auto& p) {
                       p[1].spec.seeds = 2;
                       p.erase(p.begin() + 2);
                       p[0].spec.seeds = 30;
                   }),
                   {"part1 and part2 both have"}));
}

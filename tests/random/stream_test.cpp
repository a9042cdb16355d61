#include "etastar/random/normal.hpp"
#include "etastar/random/stream.hpp"

#include "catch.hpp"
#include "random/kernels.hpp"

#include <Random123/philox.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

using namespace etastar;

namespace {

random::Stream raw_stream(std::array<std::uint32_t, 2> key, std::array<std::uint32_t, 2> prefix) {
    random::Stream stream;
    stream.key = key;
    stream.prefix = prefix;
    return stream;
}

// Block `index` of a stream through the chunk layout.
std::array<std::uint32_t, 4> block(const random::Stream& stream, std::uint64_t index) {
    std::array<std::uint32_t, random::chunk_size> words;
    random::fill_words(stream, index / 16, 1, words.data());
    const auto lane = index % 16;
    return {words[lane], words[16 + lane], words[32 + lane], words[48 + lane]};
}

} // namespace

TEST_CASE("Philox4x32-10 reproduces Random123's known answers") {
    // kat_vectors of Random123: counter and key of zeros, of ones, and of digits of pi.
    CHECK(block(raw_stream({0, 0}, {0, 0}), 0)
          == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(block(raw_stream({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}), 0xffffffffffffffff)
          == std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(block(raw_stream({0xa4093822, 0x299f31d0}, {0x13198a2e, 0x03707344}), 0x85a308d3243f6a88)
          == std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("every instruction set draws the same bits, those of the Random123 library") {
    const random::Stream stream({12345, 64, 8, 3, random::Role::weights});
    constexpr std::size_t chunks = 67;
    constexpr std::size_t count = chunks * random::chunk_size;
    constexpr std::uint64_t first =
        (std::uint64_t{1} << 32) / 16 - 5; // across the carry into the counter's second word
    const auto kernels = random::supported_kernels();
    REQUIRE_FALSE(kernels.empty());

    std::vector<float> expected(count);
    kernels[0]->normals(stream.key.data(), stream.prefix.data(), first, chunks, 0.25f, expected.data());
    for (const auto* kernel : kernels) {
        INFO(kernel->isa);
        std::vector<std::uint32_t> words(count);
        kernel->words(stream.key.data(), stream.prefix.data(), first, chunks, words.data());
        bool same = true;
        for (std::size_t i = 0; i < chunks * 16; ++i) {
            const std::uint64_t index = first * 16 + i;
            const auto block = r123::Philox4x32{}(
                {{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                  stream.prefix[0], stream.prefix[1]}},
                {{stream.key[0], stream.key[1]}});
            for (std::size_t w = 0; w < 4; ++w)
                same = same && words[i / 16 * 64 + 16 * w + i % 16] == block[w];
        }
        CHECK(same);
        std::vector<float> normals(count);
        kernel->normals(stream.key.data(), stream.prefix.data(), first, chunks, 0.25f, normals.data());
        CHECK(std::memcmp(normals.data(), expected.data(), count * sizeof(float)) == 0);
    }
}

TEST_CASE("normal variates are the Box-Muller transform of the words") {
    const random::Stream stream({7, 1, 2, 3, random::Role::weights});
    constexpr std::size_t chunks = 1024;
    std::vector<std::uint32_t> words(chunks * random::chunk_size);
    std::vector<float> normals(words.size());
    random::fill_words(stream, 0, chunks, words.data());
    random::fill_normal(stream, 0, normals.size(), 1.0f, normals.data());
    double worst = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t pair =
            i / 32 * 32 + i % 16; // position of the pair's first word; the second is 16 on
        const double u = (std::floor(words[pair] / 2.0) + 0.5) / 2147483648.0;
        const double angle = 2 * M_PI * words[pair + 16] / 4294967296.0;
        const double exact =
            std::sqrt(-2 * std::log(u)) * ((i / 16) % 2 == 0 ? std::cos(angle) : std::sin(angle));
        worst = std::max(worst, std::abs(normals[i] - exact));
    }
    // Single precision; near u = 1 the spacing of u shows as 2^-12 at most in the radius.
    CHECK(worst < 5e-4);
}

TEST_CASE("a position has the same variate whatever range it is drawn in") {
    const random::Stream stream({99, 10, 20, 30, random::Role::readout});
    std::vector<float> whole(1000);
    random::fill_normal(stream, 0, whole.size(), 2.0f, whole.data());
    for (const std::size_t first : {0u, 1u, 63u, 64u, 65u, 500u})
        for (const std::size_t count : {0u, 1u, 2u, 63u, 64u, 65u, 200u}) {
            std::vector<float> part(count + 1, -77.0f);
            random::fill_normal(stream, first, count, 2.0f, part.data());
            INFO(first << " + " << count);
            CHECK(std::memcmp(part.data(), whole.data() + first, count * sizeof(float)) == 0);
            CHECK(part[count] == -77.0f);
        }
}

TEST_CASE("streams of different names differ in every component of the name") {
    std::set<std::array<std::uint32_t, 4>> seen;
    std::size_t names = 0;
    const auto add = [&](const random::StreamName& name) {
        const random::Stream stream(name);
        seen.insert({stream.key[0], stream.key[1], stream.prefix[0], stream.prefix[1]});
        ++names;
    };
    for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32, ~std::uint64_t{0}})
        for (std::uint32_t width : {1u, 2u, 64u})
            for (std::uint32_t depth : {1u, 2u, 64u})
                for (std::uint32_t layer : {0u, 1u, 2u})
                    for (const auto role : {random::Role::input, random::Role::target, random::Role::weights,
                                            random::Role::readout, random::Role::resample})
                        add({seed, width, depth, layer, role});
    CHECK(seen.size() == names);
}

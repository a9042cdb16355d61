#pragma once

#include "etastar/random/stream.hpp"

#include <array>
#include <cstdint>

namespace etastar::model {

// The lowest bit of a word as a sign.
inline double first_bit(std::uint32_t word) { return (word & 1u) != 0 ? 1.0 : -1.0; }

// The words of a stream, and its bits as signs, in any order; fastest in ascending.
class Bits {
public:
    static constexpr std::uint64_t per_word = 32;

    explicit Bits(const random::Stream& stream) : stream_(stream) {}

    std::uint32_t word(std::uint64_t place) {
        if (const auto chunk = place / random::chunk_size; chunk != chunk_) {
            random::fill_words(stream_, chunk, 1, words_.data());
            chunk_ = chunk;
        }
        return words_[place % random::chunk_size];
    }

    double sign(std::uint64_t bit) { return first_bit(word(bit / per_word) >> (bit % per_word)); }

private:
    random::Stream stream_;
    std::uint64_t chunk_ = ~std::uint64_t{0}; // at hand
    std::array<std::uint32_t, random::chunk_size> words_{};
};

} // namespace etastar::model

#pragma once

#include "etastar/random/stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace etastar::analysis {

// Uniform integers below a bound, from a named stream.
class IndexGenerator {
public:
    explicit IndexGenerator(const random::Stream& stream) : stream_(stream) {}

    // Multiplication by the bound; its bias, bound / 2^32, is far below any bootstrap's resolution.
    std::size_t below(std::size_t bound) {
        if (next_ == random::chunk_size) {
            random::fill_words(stream_, chunk_++, 1, words_);
            next_ = 0;
        }
        return static_cast<std::size_t>((std::uint64_t{words_[next_++]} * bound) >> 32);
    }

private:
    random::Stream stream_;
    std::uint64_t chunk_ = 0;
    std::size_t next_ = random::chunk_size;
    std::uint32_t words_[random::chunk_size];
};

// Linear interpolation between order statistics; infinite neighbours win.
inline double quantile(const std::vector<double>& sorted, double probability) {
    const double position = probability * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(position));
    const auto above = std::min(below + 1, sorted.size() - 1);
    const double t = position - std::floor(position);
    if (t == 0 || sorted[below] == sorted[above]) return sorted[below];
    return sorted[below] + t * (sorted[above] - sorted[below]);
}

} // namespace etastar::analysis

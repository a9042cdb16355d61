#include "etastar/model/random_network.hpp"

#include "etastar/random/normal.hpp"

#include <array>

namespace etastar::model {

random::Stream RandomNetwork::stream(random::Role role, std::uint32_t layer) const {
    return random::Stream({id_.seed, id_.width, id_.depth, layer, role});
}

void RandomNetwork::input(std::span<float> out) const {
    const auto signs = stream(random::Role::input);
    constexpr std::size_t bits = 32;
    std::array<std::uint32_t, random::chunk_size> words;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t word = i / bits;
        if (i % (bits * words.size()) == 0) random::fill_words(signs, word / words.size(), 1, words.data());
        out[i] = (words[word % words.size()] >> (i % bits)) & 1u ? 1.0f : -1.0f;
    }
}

double RandomNetwork::target() const {
    std::array<std::uint32_t, random::chunk_size> words;
    random::fill_words(stream(random::Role::target), 0, 1, words.data());
    return words[0] & 1u ? 1.0 : -1.0;
}

void RandomNetwork::readout(std::span<float> out) const {
    random::fill_normal(stream(random::Role::readout), 0, out.size(),
                        static_cast<float>(laws_.readout.deviation), out.data());
}

void RandomNetwork::weight_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows,
                                float* out) const {
    const std::uint64_t cols = columns(layer);
    random::fill_normal(stream(random::Role::weights, layer), first_row * cols, rows * cols,
                        static_cast<float>(laws_[layer].deviation), out);
}

} // namespace etastar::model

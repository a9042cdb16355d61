#pragma once

#include "etastar/model/random_network.hpp"

#include "../aligned.hpp"

#include <vector>

namespace etastar::engine {

// The weights that a network begins with, layer by layer, in blocks of rows. As many layers as fit the budget are kept once they
// are drawn; the others are drawn again whenever they are asked for.
template <class T>
class InitialWeights {
public:
    // Rows of a block. Fixed, because the bits of products depend on it; a block of any number of columns ends aligned.
    static constexpr std::size_t block_rows = 128;

    void begin(const model::RandomNetwork& network, std::size_t budget);

    // Rows [row, row + rows) of W^layer, row-major, row a multiple of block_rows; until the next call.
    const T* rows(std::uint32_t layer, std::size_t row, std::size_t rows);

    // All of W^layer.
    void copy(std::uint32_t layer, T* out);

    const model::RandomNetwork& network() const { return *network_; }

private:
    void draw(std::uint32_t layer, std::size_t row, std::size_t rows, T* out);

    const model::RandomNetwork* network_ = nullptr;
    std::size_t kept_layers_ = 0; // W^1 .. W^{kept_layers_}
    std::vector<AlignedVector<T>> kept_;
    std::vector<std::vector<bool>> drawn_; // of each kept layer, the blocks
    AlignedVector<T> block_;
};

} // namespace etastar::engine

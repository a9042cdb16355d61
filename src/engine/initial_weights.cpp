#include "initial_weights.hpp"

#include <algorithm>

namespace etastar::engine {

template <class T>
void InitialWeights<T>::begin(const model::RandomNetwork& network, std::size_t budget) {
    network_ = &network;
    const std::size_t n = network.width();
    const std::size_t widest = std::max<std::size_t>(n, network.input_dim());
    std::size_t left = budget;
    kept_layers_ = 0;
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const std::size_t bytes = n * network.columns(layer) * sizeof(T);
        if (bytes > left) break;
        left -= bytes;
        ++kept_layers_;
    }
    if (kept_.size() < kept_layers_) kept_.resize(kept_layers_);
    drawn_.assign(kept_layers_, std::vector<bool>((n + block_rows - 1) / block_rows, false));
    for (std::size_t k = 0; k < kept_layers_; ++k)
        kept_[k].resize(n * network.columns(static_cast<std::uint32_t>(k + 1)));
    block_.resize(std::min(block_rows, n) * widest);
}

template <class T>
void InitialWeights<T>::draw(std::uint32_t layer, std::size_t row, std::size_t rows, T* out) {
    network_->weight_rows(layer, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows), out);
}

template <class T>
const T* InitialWeights<T>::rows(std::uint32_t layer, std::size_t row, std::size_t rows) {
    if (layer > kept_layers_) {
        draw(layer, row, rows, block_.data());
        return block_.data();
    }
    T* kept = kept_[layer - 1].data() + row * network_->columns(layer);
    if (auto drawn = drawn_[layer - 1][row / block_rows]; !drawn) {
        draw(layer, row, rows, kept);
        drawn = true;
    }
    return kept;
}

template <class T>
void InitialWeights<T>::copy(std::uint32_t layer, T* out) {
    const std::size_t n = network_->width();
    const std::size_t cols = network_->columns(layer);
    for (std::size_t row = 0; row < n; row += block_rows) {
        const std::size_t count = std::min(block_rows, n - row);
        std::copy_n(rows(layer, row, count), count * cols, out + row * cols);
    }
}

template class InitialWeights<float>;
template class InitialWeights<double>;

} // namespace etastar::engine

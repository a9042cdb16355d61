#pragma once

#include "etastar/model/model.hpp"
#include "etastar/random/stream.hpp"

#include <compare>
#include <cstdint>
#include <span>

namespace etastar::model {

// Names a random network: everything drawn for it is a function of these and the model alone.
struct NetworkId {
    std::uint32_t width = 0; // n, neurons in every hidden layer
    std::uint32_t depth = 0; // L, number of hidden layers
    std::uint64_t seed = 0;

    auto operator<=>(const NetworkId&) const = default;
};

// A bias-free network at initialisation with its one training example (docs/science.md, "The network"):
//
//     z^1 = W^1 x,  z^l = W^l phi(z^{l-1}),  f = v . phi(z^L),  x, y = +-1
//
// with weights of the laws of its layers. Nothing is stored: any part can be drawn, in any order, any number of times,
// with the same bits. Variates are single precision; a double-precision computation uses the same network, widened.
class RandomNetwork {
public:
    RandomNetwork(NetworkId id, const Model& model)
        : id_(id), input_dim_(model.input_dim), laws_(layer_laws(model, id.width, id.depth)) {}

    const NetworkId& id() const { return id_; }
    std::uint32_t width() const { return id_.width; }
    std::uint32_t depth() const { return id_.depth; }
    std::uint32_t input_dim() const { return input_dim_; }
    const LayerLaws& laws() const { return laws_; }

    // Columns of W^layer: n0 for layer 1, n above.
    std::uint32_t columns(std::uint32_t layer) const { return layer == 1 ? input_dim_ : id_.width; }

    // x: signs, so that ||x||^2 = n0 exactly. out: n0 values.
    void input(std::span<float> out) const;

    // y: a fair sign, independent of everything else.
    double target() const;

    // v. out: n values.
    void readout(std::span<float> out) const;
    void readout(std::span<double> out) const;

    // Rows [first_row, first_row + rows) of W^layer (1 <= layer <= L), row-major. out: rows * columns(layer)
    // values.
    void weight_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows, float* out) const;
    void weight_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows, double* out) const;

    // The stream of a part of this network; layer is 0 for parts that belong to none.
    random::Stream stream(random::Role role, std::uint32_t layer = 0) const;

private:
    template <class T>
    void draw_readout(std::span<T> out) const;
    template <class T>
    void draw_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows, T* out) const;

    NetworkId id_;
    std::uint32_t input_dim_;
    LayerLaws laws_;
};

} // namespace etastar::model

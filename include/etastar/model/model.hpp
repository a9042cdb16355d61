#pragma once

#include "etastar/model/activation.hpp"
#include "etastar/names.hpp"

#include <cstdint>

namespace etastar::model {

// Which layers take the gradient step.
enum class Train { all, first, hidden, last };

// mup: the layer-wise rates of the maximal-update parametrisation; global: one rate for every layer.
enum class Parametrization { mup, global };

// What a network is and how it steps; its width and depth apart. Numerics depend on this alone.
struct Model {
    Activation activation = activation_of<Relu>;
    Train train = Train::all;
    Parametrization parametrization = Parametrization::mup;
    std::uint32_t input_dim = 0; // n0

    bool operator==(const Model&) const = default;
};

// The law of one layer's weights, independent N(0, variance()), and their learning rate.
struct LayerLaw {
    double gain = 0;      // s2: variance times fan-in
    double fan_in = 0;    // columns of the matrix
    double deviation = 0; // of a weight
    double rate = 0;      // learning rate over the base rate eta: the multiplier m_l; 0 for a frozen layer

    double variance() const { return gain / fan_in; }
};

// The laws of a network's layers, docs/science.md, section 1.
struct LayerLaws {
    LayerLaw first;   // W^1, n x n0: rate n/n0 under mup, 1 under global
    LayerLaw hidden;  // W^2 .. W^L, n x n: rate 1
    LayerLaw readout; // v, deviation 1/n: rate 1/n under mup, 1 under global

    // W^layer, 1 <= layer <= L.
    const LayerLaw& operator[](std::uint32_t layer) const { return layer == 1 ? first : hidden; }

    // Some pre-activation moves.
    bool moves_hidden_layers() const { return first.rate != 0 || hidden.rate != 0; }
};

LayerLaws layer_laws(const Model& model, std::uint32_t width);

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::Train> {
    static constexpr std::string_view what = "train";
    static constexpr NameTable<model::Train, 4> table{{{"all", model::Train::all},
                                                       {"first", model::Train::first},
                                                       {"hidden", model::Train::hidden},
                                                       {"last", model::Train::last}}};
};
template <>
struct etastar::Names<etastar::model::Parametrization> {
    static constexpr std::string_view what = "rates";
    static constexpr NameTable<model::Parametrization, 2> table{
        {{"mup", model::Parametrization::mup}, {"global", model::Parametrization::global}}};
};

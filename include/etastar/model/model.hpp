#pragma once

#include "etastar/model/activation.hpp"
#include "etastar/model/architecture.hpp"
#include "etastar/model/optimizer.hpp"
#include "etastar/names.hpp"

#include <cstdint>
#include <optional>

namespace etastar::model {

// Which layers take the gradient step, with their biases.
enum class Train { all, first, hidden, last };

// mup: the layer-wise rates of the maximal-update parametrisation; global: one rate for every layer.
enum class Parametrization { mup, global };

inline constexpr double default_leak = 0.1;
inline constexpr double default_branch_power = 0.5;

// What a network is and how it steps; its width and depth apart. Numerics depend on this alone.
struct Model {
    Activation activation = activation_of<Relu>;
    double leak = default_leak; // slope of leaky-relu below 0, in [0, 1]
    Architecture architecture = architecture_of<Mlp>;
    double branch_power = default_branch_power; // A: branches of residual networks are scaled by L^-A
    std::optional<double> weight_variance = {}; // s2 where it is not the activation's own
    bool biases = false;                        // of layers 1 .. L: zero at first, and trained
    Optimizer optimizer = optimizer_of<Sgd>;
    Train train = Train::all;
    Parametrization parametrization = Parametrization::mup;
    std::uint32_t input_dim = 0; // n0

    double gain() const; // s2: W^l ~ N(0, s2 / fan-in)

    // The same network and step: an s2 may be given or be the activation's.
    friend bool operator==(const Model& a, const Model& b);
};

// A ReLU MLP without biases, at its own weight variance, under gradient descent: the networks of which the most is known.
bool is_bare_relu(const Model& model);

// visitor(struct) of the model's activation.
template <class Visitor>
decltype(auto) visit_activation(const Model& model, Visitor&& visitor) {
    return visit(model.activation, model.leak, std::forward<Visitor>(visitor));
}

// The law of one layer's weights, independent N(0, variance()), how the layer is made of them, and its learning rates.
struct LayerLaw {
    double gain = 0;      // s2: variance times fan-in
    double fan_in = 0;    // columns of the matrix
    double deviation = 0; // of a weight
    double rate = 0;      // learning rate over the base rate eta: the multiplier m_l; 0 for a frozen layer
    double bias_rate = 0; // of its biases; 0 where it has none
    Block block = {};     // z^l = skip z^{l-1} + branch (W^l h^{l-1} + b^l); skip 0, branch 1 for l = 1

    double variance() const { return gain / fan_in; }
    bool moves() const { return rate != 0 || bias_rate != 0; }
};

// The laws of a network's layers, docs/science.md, section 1.
struct LayerLaws {
    LayerLaw first;   // W^1, n x n0
    LayerLaw hidden;  // W^2 .. W^L, n x n
    LayerLaw readout; // v, deviation 1/n

    // W^layer, 1 <= layer <= L.
    const LayerLaw& operator[](std::uint32_t layer) const { return layer == 1 ? first : hidden; }

    // Some pre-activation moves.
    bool moves_hidden_layers() const { return first.moves() || hidden.moves(); }
};

// Rates are those of the optimizer's maximal update, or 1 under Parametrization::global.
LayerLaws layer_laws(const Model& model, std::uint32_t width, std::uint32_t depth);

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

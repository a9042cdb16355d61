#pragma once

#include <cstdint>

namespace etastar::network {

// Which layers take the gradient step.
enum class Train { all, first, hidden, last };

// mup: the layer-wise rates of the maximal-update parametrisation; global: one rate for every layer.
enum class Rates { mup, global };

// A layer's learning rate is the base rate eta times its multiplier; a frozen layer has multiplier 0.
struct Multipliers {
    double first = 0;  // W^1:        n/n0 under mup, 1 under global
    double hidden = 0; // W^2 .. W^L: 1
    double last = 0;   // read-out v: 1/n under mup, 1 under global
};

Multipliers multipliers(Train train, Rates rates, std::uint32_t width, std::uint32_t input_dim);

} // namespace etastar::network

#pragma once

#include "etastar/network/rates.hpp"
#include "etastar/sweep/names.hpp"

#include <cstdint>
#include <vector>

namespace etastar::theory {

// Which number of a network the criterion bounds.
enum class Layer {
    last,   // G_L
    max,    // the largest G_l of each network: no closed form
    mean,   // (1/L) sum_l G_l
    output, // Theta^2, the output's own response
};

// Expectations over networks of the unit-error responses (docs/science.md, "Exact moments").
struct Responses {
    std::vector<double> hidden; // E G_l at index l - 1, l = 1..L
    double output = 0;          // E Theta^2, df/deta = -(f - y) Theta

    // E of the quantity the criterion looks at. NaN for Layer::max, which has no closed form.
    double of(Layer layer) const;
};

// Exact at every width n >= 1, in O(L) operations: the second moments of a ReLU network's response close in
// five numbers per layer. May overflow to infinity where G is that heavy (n of a few, hundreds of layers).
Responses exact_responses(std::uint32_t width, std::uint32_t depth, std::uint32_t input_dim,
                          network::Train train, network::Rates rates);

// Leading order at large width, at fixed ratio of the first layer's response to the width (c1/n = 1 under
// mup, n0/n under one global rate): E G_l = m_l^2/2 + sum_{k<l} m_k^2 with m_l = c1/n + w (l - 1).
Responses infinite_width_responses(std::uint32_t width, std::uint32_t depth, std::uint32_t input_dim,
                                   network::Train train, network::Rates rates);

// eta* = (threshold / response)^(1/2): infinite for a response of 0, NaN for NaN.
double critical_rate(double response, double threshold = 1.0);

} // namespace etastar::theory

template <>
struct etastar::sweep::Names<etastar::theory::Layer> {
    static constexpr std::string_view what = "layer";
    static constexpr NameTable<theory::Layer, 4> table{{{"last", theory::Layer::last},
                                                        {"max", theory::Layer::max},
                                                        {"mean", theory::Layer::mean},
                                                        {"output", theory::Layer::output}}};
};

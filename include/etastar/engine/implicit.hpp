#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/network/network.hpp"
#include "etastar/network/rates.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace etastar::engine {

// The same law without a single matrix, in O(n) per layer (docs/science.md, section 7).
//
// A Gaussian matrix is only ever asked for three products; conditioned on the answers so far, the next is a
// combination of known vectors plus a fresh Gaussian vector. With h = h^{l-1}, s the variance of W^l's entries,
// and f = z^l . delta^l for every l (Euler's identity for a bias-free ReLU network):
//
//     W^l h           = z^l = zeta g                       zeta = sqrt(s) ||h||
//     (W^l)^T delta^l = alpha h + beta g'                  beta = sqrt(s) ||delta^l||
//                                                          alpha = (f - beta h.g') / ||h||^2
//     W^l w           = a z^l + b delta^l
//                       + c (g'' - delta^l (delta^l.g'') / ||delta^l||^2)
//
// so a layer is three Gaussian vectors and a handful of scalars. Each eta has its exact law at every width; g''
// is common to all of them, so that curves in eta are smooth, and only the joint law over eta is not that of one
// matrix.
class ImplicitEngine final : public Engine {
public:
    ImplicitEngine(std::uint32_t input_dim, network::Train train, network::Rates rates,
                   sweep::Precision precision, std::size_t weight_budget);

    NetworkOutcome run(const network::NetworkId& id, std::span<const double> rates) override;

    static Estimate estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                             std::size_t weight_budget);

private:
    // Scalars of layer l, at index l - 1.
    struct Layer {
        double zeta = 0;    // z = zeta g
        double squares = 0; // sum g^2
        double active = 0;  // the same over g > 0
        double q = 0;       // ||h^l||^2 = zeta^2 active
        double alpha = 0;   // p = df/dh^l = alpha h^l + beta g'
        double beta = 0;
        double delta2 = 0; // ||delta^l||^2, delta^l = p where z > 0

        bool dead() const { return zeta == 0; } // z = 0: no neuron is active, whatever the sign of g
    };

    const float* variates(const network::Network& network, std::uint32_t layer, random::Role role,
                          std::vector<float>& scratch) const;
    void forward(const network::Network& network);
    void backward(const network::Network& network);
    void change(const network::Network& network, const network::Multipliers& multiplier,
                class ChangeColumns& columns, std::vector<double>& response);

    std::uint32_t input_dim_;
    network::Train train_;
    network::Rates rates_;
    sweep::Precision precision_;
    std::size_t budget_;

    std::uint32_t kept_layers_ = 0; // layers 1 .. kept_layers_ keep their g and g' between the passes
    std::vector<float> kept_;       // g and g' of each, n values each
    std::vector<float> forward_;    // one layer's g, g', g'' where not kept
    std::vector<float> backward_;
    std::vector<float> fresh_;
    std::vector<Layer> layers_;
    double output_ = 0; // f
};

} // namespace etastar::engine

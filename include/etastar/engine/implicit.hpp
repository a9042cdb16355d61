#pragma once

#include "etastar/engine/change.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/model/random_network.hpp"

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
    explicit ImplicitEngine(const Settings& settings) : Engine(settings) {}

    static Cost cost(const Settings& settings, std::uint32_t width, std::uint32_t depth, std::size_t rates);

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

    // W dh = a z + b delta + c (g'' - delta (delta . g'') / ||delta||^2), in mantissas of dh.
    struct ThirdProduct {
        double a = 0;
        double b = 0;
        double c = 0;
    };

    struct Draws;       // one layer's variates, with the sums that all columns share
    struct Combination; // what dz of one column is made of

    void pass(const model::RandomNetwork& network, Passes& passes) override;
    void change(const model::RandomNetwork& network, const Passes& passes, ChangeColumns& columns) override;

    const float* variates(const model::RandomNetwork& network, std::uint32_t layer, random::Role role,
                          std::vector<float>& scratch) const;
    void forward(const model::RandomNetwork& network);
    void backward(const model::RandomNetwork& network, Passes& passes);
    static ThirdProduct third_product(const ChangeColumns& columns, std::size_t k, const Layer& here,
                                      double variance, double q, double output);
    Draws draw(const model::RandomNetwork& network, std::uint32_t layer, bool carried);
    static ChangeColumns::Sums response_sums(const Layer& here, const Draws& draws, const Combination& d,
                                             double output);
    template <class T>
    void advance(const Layer& here, const Draws& draws, const std::vector<Combination>& combinations,
                 ChangeColumns& columns) const;

    std::uint32_t kept_layers_ = 0; // layers 1 .. kept_layers_ keep their g and g' between the passes
    std::vector<float> kept_;       // g and g' of each, n values each
    std::vector<float> forward_;    // one layer's g, g', g'' where not kept
    std::vector<float> backward_;
    std::vector<float> fresh_;
    std::vector<Layer> layers_;
};

} // namespace etastar::engine

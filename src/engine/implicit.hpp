#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/model/random_network.hpp"

#include "change.hpp"
#include "layer_columns.hpp"
#include "neuron_kernels.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace etastar::engine {

// The same law without a single matrix, in O(n) per layer (docs/science.md, section 7). T is float or double; sums over
// neurons are double.
//
// A Gaussian matrix is only ever asked for three products; conditioned on the answers so far, the next is a
// combination of known vectors plus a fresh Gaussian vector. With h = h^{l-1}, P = P^l = df/dz^l, s the variance of W^l's
// entries and g, g', g'' fresh:
//
//     W^l h        = zeta g                              zeta = sqrt(s) ||h||
//     (W^l)^T P    = alpha h + beta g'                   beta = sqrt(s) ||P||
//                                                        alpha = (P . W^l h - beta h.g') / ||h||^2
//     W^l w        = a W^l h + b P + c (g'' - P (P.g'') / ||P||^2)
//
// so a layer is three Gaussian vectors and a handful of scalars. Each eta has its exact law at every width; g''
// is common to all of them, so that curves in eta are smooth, and only the joint law over eta is not that of one
// matrix.
template <class T>
class ImplicitEngine final : public Engine {
public:
    // kernels: of the model's activation; tests bring their own.
    explicit ImplicitEngine(const Settings& settings)
        : ImplicitEngine(settings, kernel_set().of<T>(settings.model.activation, settings.model.leak)) {}
    ImplicitEngine(const Settings& settings, const NeuronKernels<T>& kernels)
        : Engine(settings), kernels_(kernels) {}

    static Cost cost(const Settings& settings, std::uint32_t width, std::uint32_t depth, std::size_t rates);

private:
    using Passes = Engine::Passes;

    // Scalars of layer l, at index l - 1.
    struct Layer {
        double zeta = 0;    // W^l h^{l-1} = zeta g
        double z_unit = 1;  // z^l is held in this unit
        double overlap = 0; // h^l . g'
        double alpha = 0;   // (W^{l+1})^T P^{l+1} = alpha h^l + beta g'; v = beta g' at l = L
        double beta = 0;
        double p_unit = 1; // P^l is held in this unit
        GradientTerms<T> gradient;
        double p2 = 0;    // ||P^l||^2
        double along = 0; // P^l . W^l h^{l-1}
        double fresh = 0; // P^l . g''
    };

    // W dh = a W h + b P + c (g'' - P (P . g'') / ||P||^2), in mantissas of dh.
    struct ThirdProduct {
        double a = 0;
        double b = 0;
        double c = 0;
    };
    // Room for the neurons that pass through the kernels at a time.
    struct Block {
        std::vector<T> forward, z, h, slope, side, gradient, fresh;
    };

    void pass(const model::RandomNetwork& network, Passes& passes) override;
    void change(const model::RandomNetwork& network, const Passes& passes, ChangeColumns& columns) override;

    void prepare(const model::RandomNetwork& network);
    void forward(const model::RandomNetwork& network, Passes& passes);
    void backward(const model::RandomNetwork& network, Passes& passes);
    bool keeps_gradients() const { return streams_ || holds_; }
    T* gradients(std::uint32_t layer) { return p_.data() + (layer - 1) * width_; }
    bool keeps(std::uint32_t layer) const { return layer <= kept_layers_; }
    float* room(std::uint32_t layer, random::Role role);
    const float* variates(const model::RandomNetwork& network, std::uint32_t layer, random::Role role);
    const T* widened(const float* values, std::size_t count, std::vector<T>& scratch) const;
    Neurons<T> neurons(std::uint32_t layer, const float* g, std::size_t first, std::size_t count,
                       bool forward);
    ThirdProduct third_product(const ChangeColumns& columns, std::size_t k, std::uint32_t layer,
                               double variance, double q) const;
    void advance(std::uint32_t layer, const float* g, const float* back, const float* fresh,
                 const std::vector<Combination>& combinations, ChangeColumns& columns);

    NeuronKernels<T> kernels_;
    std::size_t width_ = 0;
    bool streams_ = false; // z^l and P^l are sums over layers, and kept
    bool holds_ = false;   // h, slope and P of every layer stay between the passes
    bool absolute_ = false;

    std::uint32_t kept_layers_ = 0; // layers 1 .. kept_layers_ keep their g, g' and g'' between the passes
    std::vector<float> kept_;       // these of each, n values each
    std::vector<float> forward_;    // one layer's g, g', g'' where not kept
    std::vector<float> backward_;
    std::vector<float> fresh_;
    std::vector<T> z_; // of residual networks, layer after layer
    std::vector<T> p_; // of residual and of held networks
    std::vector<T> h_; // of held networks, as slope_
    std::vector<T> slope_;
    std::vector<T> steps_;    // dz of their columns, a row per neuron
    std::vector<T> response_; // and of the linear response
    std::vector<Layer> layers_;
    Block block_;
};

} // namespace etastar::engine

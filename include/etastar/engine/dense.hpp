#pragma once

#include "etastar/engine/aligned.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/network/network.hpp"
#include "etastar/network/rates.hpp"

#include <cstddef>
#include <vector>

namespace etastar::engine {

// Computes with the network's weight matrices: gemv forward, transposed gemv backward, gemm for the change,
// in blocks of rows so that a block is still in cache when it has been drawn. T is float or double; sums over
// neurons are double. z^l and delta^l are mantissas in a unit of their layer, a power of two.
//
// The bits of a product may depend on where its operands begin, modulo operand_alignment. So every operand, and every
// matrix W^l that is kept, is aligned, and a block of rows begins a multiple of the alignment behind its matrix: whether
// rows were kept or drawn anew, and where, then decides no bit.
template <class T>
class DenseEngine final : public Engine {
public:
    DenseEngine(std::uint32_t input_dim, network::Train train, network::Rates rates,
                std::size_t weight_budget);

    NetworkOutcome run(const network::NetworkId& id, std::span<const double> rates) override;

    // Of the network last run: z^l_i, and delta^l_i = df/dz^l_i where some layer needs it. l = 1..depth.
    double preactivation(std::size_t l, std::size_t i) const {
        return z_unit_[l] * z_[(l - 1) * v_.size() + i];
    }
    double gradient(std::size_t l, std::size_t i) const {
        return delta_unit_[l] * delta_[(l - 1) * v_.size() + i];
    }

    static Estimate estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                             std::size_t weight_budget);

private:
    void prepare(const network::Network& network);
    bool keeps(std::uint32_t layer) const { return layer >= 2 && layer - 2 < kept_layers_; }
    T* kept_rows(const network::Network& network, std::uint32_t layer, std::size_t row);
    const T* weight_rows(const network::Network& network, std::uint32_t layer, std::size_t row,
                         std::size_t rows);
    void draw_rows(const network::Network& network, std::uint32_t layer, std::size_t row, std::size_t rows,
                   T* out);
    void forward(const network::Network& network);
    void backward(const network::Network& network);

    std::uint32_t input_dim_;
    network::Train train_;
    network::Rates rates_;
    std::size_t weight_budget_;

    std::uint32_t kept_layers_ = 0; // W^2 .. W^{1 + kept_layers_} stay in kept_ after the forward pass
    AlignedVector<T> kept_;
    AlignedVector<T> block_;      // rows being drawn
    std::vector<float> variates_; // the same, before widening to double
    AlignedVector<T> x_;
    AlignedVector<T> v_;
    AlignedVector<T> z_;
    AlignedVector<T> delta_;
    std::vector<double> z_unit_;     // l = 0..L, of h^l, too
    std::vector<double> delta_unit_; // l = 1..L at index l
    std::vector<double> q_;          // ||h^l||^2, l = 0..L
    std::vector<double> delta2_;     // ||delta^l||^2, l = 1..L at index l
    AlignedVector<T> hidden_;        // one layer's activations
    double output_ = 0;              // f
};

} // namespace etastar::engine

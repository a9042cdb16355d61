#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/model/random_network.hpp"

#include "../aligned.hpp"
#include "neuron_kernels.hpp"

#include <cstddef>
#include <vector>

namespace etastar::engine {

// Computes with the network's weight matrices: gemv forward, transposed gemv backward, gemm for the change,
// in blocks of rows so that a block is still in cache when it has been drawn. T is float or double; sums over
// neurons are double. With a homogeneous activation z^l, and always df/dz^l, are mantissas in a unit of their layer, a power
// of two.
//
// No address decides a bit: operands of the BLAS begin at multiples of operand_alignment, and so do the blocks of
// rows of one matrix, whose lengths are multiples of it whatever the width.
template <class T>
class DenseEngine final : public Engine {
public:
    // kernels: of the model's activation; tests bring their own.
    explicit DenseEngine(const Settings& settings)
        : DenseEngine(settings, kernel_set().of<T>(settings.model.activation, settings.model.leak)) {}
    DenseEngine(const Settings& settings, const NeuronKernels<T>& kernels)
        : Engine(settings), kernels_(kernels) {}

    // Of the network last run: z^l_i, and P^l_i = df/dz^l_i where some layer needs it. l = 1..depth.
    double preactivation(std::size_t l, std::size_t i) const {
        return z_unit_[l] * static_cast<double>(z_[(l - 1) * v_.size() + i]);
    }
    double gradient(std::size_t l, std::size_t i) const {
        return p_unit_[l] * static_cast<double>(p_[(l - 1) * v_.size() + i]);
    }

    static Cost cost(const Settings& settings, std::uint32_t width, std::uint32_t depth, std::size_t rates);

private:
    using Passes = Engine::Passes;

    void pass(const model::RandomNetwork& network, Passes& passes) override;
    void change(const model::RandomNetwork& network, const Passes& passes, ChangeColumns& columns) override;

    void prepare(const model::RandomNetwork& network);
    bool keeps(std::uint32_t layer) const { return layer >= 2 && layer - 2 < kept_layers_; }
    T* kept_rows(const model::RandomNetwork& network, std::uint32_t layer, std::size_t row);
    const T* weight_rows(const model::RandomNetwork& network, std::uint32_t layer, std::size_t row,
                         std::size_t rows);
    void draw_rows(const model::RandomNetwork& network, std::uint32_t layer, std::size_t row,
                   std::size_t rows, T* out);
    void forward(const model::RandomNetwork& network, Passes& passes);
    void backward(const model::RandomNetwork& network, Passes& passes);

    NeuronKernels<T> kernels_;
    std::uint32_t kept_layers_ = 0; // W^2 .. W^{1 + kept_layers_} stay in kept_ after the forward pass
    AlignedVector<T> kept_;         // one after the other, each beginning aligned
    AlignedVector<T> block_;        // rows being drawn
    AlignedVector<T> x_;
    AlignedVector<T> v_;
    AlignedVector<T> z_;
    AlignedVector<T> p_;
    std::vector<double> z_unit_; // l = 0..L, of h^l, too
    std::vector<double> p_unit_; // l = 1..L at index l
    AlignedVector<T> h_;         // of one layer
    AlignedVector<T> slope_;
    AlignedVector<T> back_; // df/dh
};

} // namespace etastar::engine

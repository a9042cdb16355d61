#pragma once

#include "etastar/engine/training.hpp"

#include "../aligned.hpp"
#include "input_basis.hpp"
#include "layer_matrix.hpp"

#include <functional>
#include <vector>

namespace etastar::engine {

// The first layer's matrix W^1, n x n0: known on the span of the inputs seen so far alone, by its images W Q of their basis Q.
// It is never asked backward.
template <class T>
class SpannedMatrix final : public LayerMatrix<T> {
public:
    // W_0 q of the basis vector of this number; asked once for each.
    using Draw = std::function<void(std::size_t number, const std::vector<double>& q, T* answer)>;

    // The basis is kept by reference; it may know inputs already.
    SpannedMatrix(std::size_t rows, InputBasis& basis, std::size_t runs, const Training& training, Draw draw);

    void name(std::span<const std::uint64_t> examples) override {
        examples_.assign(examples.begin(), examples.end());
    }

    // h: inputs of the examples named last, the same for every run.
    void forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) override;
    void backward(std::span<const std::size_t> runs, std::size_t count, const T* d, T* answer) override;
    void step(std::size_t run, double rate, std::span<const double> factors, const T* h, const T* d) override;

private:
    void add_images();

    std::size_t rows_;
    std::size_t stride_; // rows, and zeros up to a whole line
    InputBasis& basis_;
    double momentum_;
    Draw draw_;
    std::vector<std::uint64_t> examples_;
    std::size_t rank_ = 0;                     // images there are
    std::vector<double> asked_;                // coordinates of the last vectors, rank_ x count
    std::vector<AlignedVector<T>> images_;     // of each run, one after the other
    std::vector<AlignedVector<T>> velocities_; // likewise, with momentum
    AlignedVector<T> block_;
};

} // namespace etastar::engine

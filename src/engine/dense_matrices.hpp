#pragma once

#include "etastar/engine/training.hpp"

#include "../aligned.hpp"
#include "initial_weights.hpp"
#include "layer_matrix.hpp"
#include "moments.hpp"

#include <vector>

namespace etastar::engine {

// W_t = W_0 + D diag(w) H^T of a hidden layer: the initial matrix, which all runs share, and of each run the vectors of its steps
// so far. For gradient descent, with or without momentum, where these are fewer than the columns of the matrix: W_0 is read
// once for all runs, and no n x n matrix is ever written.
template <class T>
class FactoredMatrix final : public LayerMatrix<T> {
public:
    FactoredMatrix(InitialWeights<T>& weights, std::uint32_t layer, std::size_t runs,
                   const Training& training);

    void forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) override;
    void backward(std::span<const std::size_t> runs, std::size_t count, const T* d, T* answer) override;
    void step(std::size_t run, double rate, std::span<const double> factors, const T* h, const T* d) override;

private:
    struct Steps {
        AlignedVector<T> h; // vectors back to back
        AlignedVector<T> d;
        std::vector<double> weight;   // w
        std::vector<double> velocity; // what each adds to w in the next step, over momentum
    };
    // answer += into diag(w) (from^T x).
    void add_steps(const Steps& steps, const AlignedVector<T>& from, const AlignedVector<T>& into,
                   std::size_t count, const T* x, T* answer);

    InitialWeights<T>& weights_;
    std::uint32_t layer_;
    std::size_t width_;
    std::size_t capacity_;
    double momentum_;
    std::vector<Steps> steps_;
    AlignedVector<T> products_;
};

// A run's own matrix, with every update added to it: any optimizer, any number of steps.
template <class T>
class ExplicitMatrix final : public LayerMatrix<T> {
public:
    ExplicitMatrix(InitialWeights<T>& weights, std::uint32_t layer, const Training& training);

    void forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) override;
    void backward(std::span<const std::size_t> runs, std::size_t count, const T* d, T* answer) override;
    void step(std::size_t run, double rate, std::span<const double> factors, const T* h, const T* d) override;

private:
    std::size_t rows_;
    std::size_t cols_;
    AlignedVector<T> w_;
    bool plain_; // without moments
    Moments<T> moments_;
    AlignedVector<T> gradient_; // where there are moments
    AlignedVector<T> scaled_;   // factors[p] d_p
};

} // namespace etastar::engine

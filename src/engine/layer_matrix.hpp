#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace etastar::engine {

// A weight matrix of rows x cols while networks are trained: one or several runs, which begin with the same matrix and go
// on apart. Vectors stand back to back, `count` of a run after those of the run before.
template <class T>
class LayerMatrix {
public:
    LayerMatrix() = default;
    virtual ~LayerMatrix() = default;
    LayerMatrix(const LayerMatrix&) = delete;
    LayerMatrix& operator=(const LayerMatrix&) = delete;

    // Numbers of the examples whose inputs a first layer is asked next.
    virtual void name(std::span<const std::uint64_t> /*examples*/) {}

    // answer = W h, of each of these runs' matrices.
    virtual void forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) = 0;

    // answer = W^T d. First layers are not asked.
    virtual void backward(std::span<const std::size_t> runs, std::size_t count, const T* d, T* answer) = 0;

    // A step of the run's optimizer by the gradient sum_p factors[p] d_p h_p^T at this learning rate. h and d are what the
    // run asked last forward and, but for first layers, backward; there are as many of each as factors.
    virtual void step(std::size_t run, double rate, std::span<const double> factors, const T* h,
                      const T* d) = 0;
};

} // namespace etastar::engine

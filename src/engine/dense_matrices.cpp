#include "dense_matrices.hpp"

#include "products.hpp"

#include <algorithm>

namespace etastar::engine {
namespace {

// answer = W h for `count` vectors, of a block of W's rows: W is rows x cols, vectors are `cols` long and answers `stride`.
template <class T>
void multiply_rows(std::size_t rows, std::size_t cols, const T* w, std::size_t count, const T* h, T* answer,
                   std::size_t stride) {
    if (count == 1)
        gemv(rows, cols, w, h, answer);
    else
        gemm_transposed(count, rows, cols, h, cols, w, cols, answer, stride);
}

// answer += W^T d of the same block; answers are `cols` long.
template <class T>
void add_transposed(std::size_t rows, std::size_t cols, const T* w, std::size_t count, const T* d,
                    std::size_t stride, T* answer) {
    if (count == 1)
        gemv_transposed(rows, cols, w, d, answer);
    else
        gemm_add(count, cols, rows, d, stride, w, cols, answer, cols);
}

} // namespace

template <class T>
FactoredMatrix<T>::FactoredMatrix(InitialWeights<T>& weights, std::uint32_t layer, std::size_t runs,
                                  const Training& training)
    : weights_(weights),
      layer_(layer),
      width_(weights.network().width()),
      capacity_(std::size_t{training.steps} * training.data.batch_size()),
      momentum_(training.memory == Memory::momentum ? training.momentum : 0),
      steps_(runs) {
    for (auto& steps : steps_) {
        steps.h.reserve(width_ * capacity_);
        steps.d.reserve(width_ * capacity_);
    }
}

template <class T>
void FactoredMatrix<T>::add_steps(const Steps& steps, const AlignedVector<T>& from,
                                  const AlignedVector<T>& into, std::size_t count, const T* x, T* answer) {
    const std::size_t past = steps.weight.size();
    if (past == 0) return;
    products_.resize(past * count);
    if (count == 1) {
        gemv(past, width_, from.data(), x, products_.data());
        for (std::size_t k = 0; k < past; ++k) products_[k] *= static_cast<T>(steps.weight[k]);
        gemv_transposed(past, width_, into.data(), products_.data(), answer);
    } else {
        gemm_transposed(count, past, width_, x, width_, from.data(), width_, products_.data(), past);
        for (std::size_t p = 0; p < count; ++p)
            for (std::size_t k = 0; k < past; ++k) products_[p * past + k] *= static_cast<T>(steps.weight[k]);
        gemm_add(count, width_, past, products_.data(), past, into.data(), width_, answer, width_);
    }
}

template <class T>
void FactoredMatrix<T>::forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) {
    const std::size_t n = width_;
    for (std::size_t row = 0; row < n; row += InitialWeights<T>::block_rows) {
        const std::size_t rows = std::min(InitialWeights<T>::block_rows, n - row);
        multiply_rows(rows, n, weights_.rows(layer_, row, rows), runs.size() * count, h, answer + row, n);
    }
    for (std::size_t r = 0; r < runs.size(); ++r) {
        const auto& steps = steps_[runs[r]];
        add_steps(steps, steps.h, steps.d, count, h + r * count * n, answer + r * count * n);
    }
}

template <class T>
void FactoredMatrix<T>::backward(std::span<const std::size_t> runs, std::size_t count, const T* d,
                                 T* answer) {
    const std::size_t n = width_;
    std::fill_n(answer, runs.size() * count * n, T{0});
    for (std::size_t row = 0; row < n; row += InitialWeights<T>::block_rows) {
        const std::size_t rows = std::min(InitialWeights<T>::block_rows, n - row);
        add_transposed(rows, n, weights_.rows(layer_, row, rows), runs.size() * count, d + row, n, answer);
    }
    for (std::size_t r = 0; r < runs.size(); ++r) {
        const auto& steps = steps_[runs[r]];
        add_steps(steps, steps.d, steps.h, count, d + r * count * n, answer + r * count * n);
    }
}

template <class T>
void FactoredMatrix<T>::step(std::size_t run, double rate, std::span<const double> factors, const T* h,
                             const T* d) {
    auto& steps = steps_[run];
    steps.h.insert(steps.h.end(), h, h + factors.size() * width_);
    steps.d.insert(steps.d.end(), d, d + factors.size() * width_);
    for (double& velocity : steps.velocity) velocity *= momentum_;
    for (const double factor : factors) {
        steps.velocity.push_back(-rate * factor);
        steps.weight.push_back(0);
    }
    for (std::size_t k = 0; k < steps.weight.size(); ++k) steps.weight[k] += steps.velocity[k];
}

template <class T>
ExplicitMatrix<T>::ExplicitMatrix(InitialWeights<T>& weights, std::uint32_t layer, const Training& training)
    : rows_(weights.network().width()),
      cols_(weights.network().columns(layer)),
      w_(rows_ * cols_),
      plain_(training.memory == Memory::none),
      moments_(training.memory, training.momentum, rows_ * cols_),
      gradient_(plain_ ? 0 : rows_ * cols_) {
    weights.copy(layer, w_.data());
}

template <class T>
void ExplicitMatrix<T>::forward(std::span<const std::size_t> /*runs*/, std::size_t count, const T* h,
                                T* answer) {
    multiply_rows(rows_, cols_, w_.data(), count, h, answer, rows_);
}

template <class T>
void ExplicitMatrix<T>::backward(std::span<const std::size_t> /*runs*/, std::size_t count, const T* d,
                                 T* answer) {
    std::fill_n(answer, count * cols_, T{0});
    add_transposed(rows_, cols_, w_.data(), count, d, rows_, answer);
}

template <class T>
void ExplicitMatrix<T>::step(std::size_t /*run*/, double rate, std::span<const double> factors, const T* h,
                             const T* d) {
    const std::size_t count = factors.size();
    scaled_.resize(count * rows_);
    for (std::size_t p = 0; p < count; ++p) {
        const T factor = static_cast<T>(plain_ ? -rate * factors[p] : factors[p]);
        for (std::size_t i = 0; i < rows_; ++i) scaled_[p * rows_ + i] = factor * d[p * rows_ + i];
    }
    if (!plain_) std::fill(gradient_.begin(), gradient_.end(), T{0});
    T* sum = plain_ ? w_.data() : gradient_.data();
    if (count == 1) {
        for (std::size_t i = 0; i < rows_; ++i)
            for (std::size_t j = 0; j < cols_; ++j) sum[i * cols_ + j] += scaled_[i] * h[j];
    } else {
        add_outer(rows_, cols_, count, scaled_.data(), h, sum);
    }
    if (!plain_) moments_.step(rate, gradient_.data(), gradient_.size(), w_.data());
}

template class FactoredMatrix<float>;
template class FactoredMatrix<double>;
template class ExplicitMatrix<float>;
template class ExplicitMatrix<double>;

} // namespace etastar::engine

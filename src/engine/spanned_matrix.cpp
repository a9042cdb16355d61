#include "spanned_matrix.hpp"

#include "../matrix/kernels.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace etastar::engine {
namespace {

// Neurons at a time: their part of the vectors stays in the first-level cache.
constexpr std::size_t rows_at_a_time = 256;

} // namespace

template <class T>
SpannedMatrix<T>::SpannedMatrix(std::size_t rows, InputBasis& basis, std::size_t runs,
                                const Training& training, Draw draw)
    : rows_(rows),
      stride_(aligned_count<T>(rows)),
      basis_(basis),
      momentum_(training.memory == Memory::momentum ? training.momentum : 0),
      draw_(std::move(draw)),
      images_(runs),
      velocities_(training.memory == Memory::momentum ? runs : 0) {}

// No run has moved along a new vector: the answer is that of W_0 for all of them.
template <class T>
void SpannedMatrix<T>::add_images() {
    if (rank_ == basis_.rank()) return;
    AlignedVector<T> image(stride_, T{0});
    for (auto& images : images_) images.resize(basis_.rank() * stride_);
    for (auto& velocity : velocities_) velocity.resize(basis_.rank() * stride_, T{0});
    for (; rank_ < basis_.rank(); ++rank_) {
        draw_(rank_, basis_.vector(rank_), image.data());
        for (auto& images : images_) std::copy(image.begin(), image.end(), images.data() + rank_ * stride_);
    }
}

template <class T>
void SpannedMatrix<T>::forward(std::span<const std::size_t> runs, std::size_t count, const T* h, T* answer) {
    if (examples_.size() != count) throw std::logic_error("inputs of examples without a name");
    const std::size_t n0 = basis_.dimension();
    std::vector<std::vector<double>> at;
    at.reserve(count);
    for (std::size_t p = 0; p < count; ++p) at.push_back(basis_.locate(examples_[p], h + p * n0));
    add_images();
    asked_.assign(rank_ * count, 0.0);
    for (std::size_t p = 0; p < count; ++p)
        for (std::size_t j = 0; j < at[p].size(); ++j) asked_[j * count + p] = at[p][j];
    const auto& loops = matrix::widest_kernels().of<T>();
    const std::vector<T> factors(asked_.begin(), asked_.end());
    block_.resize(rows_at_a_time * count);
    for (std::size_t r = 0; r < runs.size(); ++r)
        for (std::size_t first = 0; first < rows_; first += rows_at_a_time) {
            const std::size_t length = std::min(rows_at_a_time, stride_ - first);
            const std::size_t present = std::min(rows_at_a_time, rows_ - first);
            const matrix::Columns<T> sums{block_.data(), length, count};
            std::fill_n(block_.data(), length * count, T{0});
            loops.combine({images_[runs[r]].data() + first, stride_, rank_}, factors.data(), sums, length);
            for (std::size_t p = 0; p < count; ++p)
                std::copy_n(sums[p], present, answer + (r * count + p) * rows_ + first);
        }
}

template <class T>
void SpannedMatrix<T>::backward(std::span<const std::size_t> /*runs*/, std::size_t /*count*/, const T* /*d*/,
                                T* /*answer*/) {
    throw std::logic_error("there is no layer below the first");
}

// Coordinates are those of the last question.
template <class T>
void SpannedMatrix<T>::step(std::size_t run, double rate, std::span<const double> factors, const T* /*h*/,
                            const T* d) {
    const std::size_t count = factors.size();
    const auto& loops = matrix::widest_kernels().of<T>();
    const bool remembers = !velocities_.empty();
    std::vector<T> along(count * rank_);
    for (std::size_t p = 0; p < count; ++p)
        for (std::size_t j = 0; j < rank_; ++j)
            along[p * rank_ + j] =
                static_cast<T>((remembers ? 1 : -rate) * factors[p] * asked_[j * count + p]);
    T* image = images_[run].data();
    T* velocity = remembers ? velocities_[run].data() : nullptr;
    if (remembers)
        for (T& value : velocities_[run]) value *= static_cast<T>(momentum_);
    block_.resize(rows_at_a_time * count);
    for (std::size_t first = 0; first < rows_; first += rows_at_a_time) {
        const std::size_t length = std::min(rows_at_a_time, stride_ - first);
        const std::size_t present = std::min(rows_at_a_time, rows_ - first);
        const matrix::Columns<T> gradients{block_.data(), length, count};
        for (std::size_t p = 0; p < count; ++p) {
            std::copy_n(d + p * rows_ + first, present, gradients[p]);
            std::fill_n(gradients[p] + present, length - present, T{0});
        }
        loops.combine(gradients, along.data(), {(remembers ? velocity : image) + first, stride_, rank_},
                      length);
    }
    if (!remembers) return;
    const T eta = static_cast<T>(rate);
    for (std::size_t i = 0; i < rank_ * stride_; ++i) image[i] -= eta * velocity[i];
}

template class SpannedMatrix<float>;
template class SpannedMatrix<double>;

} // namespace etastar::engine

#pragma once

// The definitions of DenseEngine, for activations of any kind.
#include "etastar/engine/blas.hpp"
#include "etastar/engine/change.hpp"
#include "etastar/engine/dense.hpp"

#include "kept.hpp"
#include "power_of_two.hpp"
#include "products.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace etastar::engine {
namespace detail {

// Rows of W drawn and multiplied at a time. Fixed, because the bits of a product may depend on it. Small
// enough that a block stays in the second-level cache, and that OpenBLAS multiplies it without packing where
// it can.
inline constexpr std::size_t block_rows = 32;
// The transposed product passes over its whole result once a block: fewer, larger blocks.
inline constexpr std::size_t transposed_block_rows = 128;
// Blocks of any number of columns follow each other aligned.
static_assert(block_rows * sizeof(float) % operand_alignment == 0);
static_assert(transposed_block_rows * sizeof(float) % operand_alignment == 0);

template <class T>
double dot(std::size_t n, const T* a, const T* b) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

// Divides the values by a power of two near their root mean square, and returns it.
template <class T>
double normalize(std::size_t n, T* values) {
    const double unit = root_power_of_two(dot(n, values, values) / static_cast<double>(n));
    const T inverse = static_cast<T>(1 / unit);
    for (std::size_t i = 0; i < n; ++i) values[i] *= inverse;
    return unit;
}

// One layer of the change: coefficients and sums of all columns as contiguous arrays.
template <class T, class Activation>
class LayerKernel {
public:
    LayerKernel(const ChangeColumns& columns, double z_unit, double delta_unit)
        : size_(columns.count()),
          z_unit_(z_unit),
          change2_(size_),
          active2_(size_),
          overlap_(size_),
          projection_(size_) {
        for (std::size_t k = 0; k < size_; ++k) {
            carry_.push_back(static_cast<T>(columns.carry(k)));
            inject_.push_back(static_cast<T>(columns.inject(k) * delta_unit));
            kink_.push_back(static_cast<T>(columns.kink(k, z_unit)));
        }
    }

    // product: (W e)_i for every column; out: e'_i. p: the vector that projections are taken on, at i.
    void advance(const T* product, T z, T delta, T p, T* out) {
        const auto h = static_cast<double>(Activation::value(z));
        const auto along = static_cast<double>(p);
        for (std::size_t k = 0; k < size_; ++k) {
            const T d = carry_[k] * product[k] + inject_[k] * delta;
            const T e = Activation::change(z, d, kink_[k]);
            out[k] = e;
            const auto wide_d = static_cast<double>(d);
            const auto wide_e = static_cast<double>(e);
            change2_[k] += wide_d * wide_d;
            active2_[k] += wide_e * wide_e;
            overlap_[k] += h * wide_e;
            projection_[k] += along * wide_e;
        }
    }

    void deliver(ChangeColumns& columns) const {
        for (std::size_t k = 0; k < size_; ++k)
            columns.sums(k) = {.change2 = change2_[k],
                               .active2 = active2_[k],
                               .overlap = z_unit_ * overlap_[k],
                               .projection = projection_[k]};
    }

private:
    std::size_t size_;
    double z_unit_;
    std::vector<T> carry_, inject_, kink_;
    std::vector<double> change2_, active2_, overlap_, projection_;
};

} // namespace detail

template <class T, class Activation>
void DenseEngine<T, Activation>::prepare(const model::RandomNetwork& network) {
    const std::size_t n = network.width();
    const std::size_t depth = network.depth();
    const std::size_t matrix = aligned_count<T>(n * n);
    kept_layers_ =
        static_cast<std::uint32_t>(std::min(depth - 1, settings().weight_budget / (matrix * sizeof(T))));
    reserve_kept(kept_, kept_layers_ * matrix);
    block_.resize(detail::transposed_block_rows * std::max(n, std::size_t{network.input_dim()}));
    if constexpr (std::is_same_v<T, double>) variates_.resize(block_.size());
    z_.resize(n * depth);
    hidden_.resize(n);
    z_unit_.assign(depth + 1, 1.0);
    delta_unit_.assign(depth + 1, 1.0);

    std::vector<float> part(network.input_dim());
    network.input(part);
    x_.assign(part.begin(), part.end());
    part.resize(n);
    network.readout(part);
    v_.assign(part.begin(), part.end());
}

template <class T, class Activation>
void DenseEngine<T, Activation>::draw_rows(const model::RandomNetwork& network, std::uint32_t layer,
                                           std::size_t row, std::size_t rows, T* out) {
    const auto first = static_cast<std::uint32_t>(row);
    const auto count = static_cast<std::uint32_t>(rows);
    if constexpr (std::is_same_v<T, float>) {
        network.weight_rows(layer, first, count, out);
    } else {
        network.weight_rows(layer, first, count, variates_.data());
        std::copy_n(variates_.data(), rows * network.columns(layer), out);
    }
}

// Where the rows of W^layer from `row` on are kept.
template <class T, class Activation>
T* DenseEngine<T, Activation>::kept_rows(const model::RandomNetwork& network, std::uint32_t layer,
                                         std::size_t row) {
    const std::size_t n = network.width();
    return kept_.data() + (layer - 2) * aligned_count<T>(n * n) + row * n;
}

// Rows of W^layer for the passes after the first.
template <class T, class Activation>
const T* DenseEngine<T, Activation>::weight_rows(const model::RandomNetwork& network, std::uint32_t layer,
                                                 std::size_t row, std::size_t rows) {
    if (keeps(layer)) return kept_rows(network, layer, row);
    draw_rows(network, layer, row, rows, block_.data());
    return block_.data();
}

template <class T, class Activation>
void DenseEngine<T, Activation>::forward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = network.width();
    passes.q[0] = detail::dot(x_.size(), x_.data(), x_.data());
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const std::size_t cols = network.columns(layer);
        const T* h = layer == 1 ? x_.data() : hidden_.data();
        T* z = z_.data() + (layer - 1) * n;
        for (std::size_t row = 0; row < n; row += detail::block_rows) {
            const std::size_t rows = std::min(detail::block_rows, n - row);
            T* w = keeps(layer) ? kept_rows(network, layer, row) : block_.data();
            draw_rows(network, layer, row, rows, w);
            gemv(rows, cols, w, h, z + row);
        }
        if constexpr (Activation::homogeneous) z_unit_[layer] = z_unit_[layer - 1] * detail::normalize(n, z);
        const double unit = z_unit_[layer];
        for (std::size_t i = 0; i < n; ++i) hidden_[i] = Activation::value(z[i]);
        passes.q[layer] = unit * detail::dot(n, hidden_.data(), hidden_.data()) * unit;
    }
    passes.output = z_unit_.back() * detail::dot(n, v_.data(), hidden_.data());
}

template <class T, class Activation>
void DenseEngine<T, Activation>::backward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = network.width();
    AlignedVector<T>& u = hidden_; // df/dh^l
    u = v_;
    double unit = detail::normalize(n, u.data());
    for (std::uint32_t layer = network.depth(); layer >= 1; --layer) {
        const T* z = z_.data() + (layer - 1) * n;
        T* delta = delta_.data() + (layer - 1) * n;
        for (std::size_t i = 0; i < n; ++i) delta[i] = Activation::pull_back(z[i], u[i]);
        delta_unit_[layer] = unit;
        passes.delta2[layer] = unit * detail::dot(n, delta, delta) * unit;
        if (layer == 1) break;
        std::fill(u.begin(), u.end(), T{0});
        for (std::size_t row = 0; row < n; row += detail::transposed_block_rows) {
            const std::size_t rows = std::min(detail::transposed_block_rows, n - row);
            gemv_transposed(rows, n, weight_rows(network, layer, row, rows), delta + row, u.data());
        }
        unit *= detail::normalize(n, u.data());
    }
}

template <class T, class Activation>
void DenseEngine<T, Activation>::pass(const model::RandomNetwork& network, Passes& passes) {
    use_one_blas_thread();
    prepare(network);
    forward(network, passes);
    const bool hidden_layers_change = network.laws().moves_hidden_layers();
    delta_.resize(hidden_layers_change ? z_.size() : 0);
    if (hidden_layers_change) backward(network, passes);
}

template <class T, class Activation>
void DenseEngine<T, Activation>::change(const model::RandomNetwork& network, const Passes& passes,
                                        ChangeColumns& columns) {
    const std::size_t n = network.width();
    const std::size_t k_count = columns.count();
    AlignedVector<T> panel;      // mantissas of dh^{l-1}, a row per neuron
    AlignedVector<T> next_panel; // and of dh^l
    AlignedVector<T> product(detail::block_rows * k_count);
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const bool carried = !columns.silent();
        columns.begin_layer(network.laws()[layer], passes.q[layer - 1], passes.delta2[layer]);
        if (!columns.silent()) {
            next_panel.resize(n * k_count);
            detail::LayerKernel<T, Activation> kernel(columns, z_unit_[layer], delta_unit_[layer]);
            const T* z = z_.data() + (layer - 1) * n;
            const T* delta = delta_.data() + (layer - 1) * n;
            for (std::size_t row = 0; row < n; row += detail::block_rows) {
                const std::size_t rows = std::min(detail::block_rows, n - row);
                if (carried)
                    gemm(rows, k_count, n, weight_rows(network, layer, row, rows), panel.data(),
                         product.data());
                for (std::size_t i = 0; i < rows; ++i)
                    kernel.advance(product.data() + i * k_count, z[row + i], delta[row + i], v_[row + i],
                                   next_panel.data() + (row + i) * k_count);
            }
            kernel.deliver(columns);
        }
        columns.end_layer();
        panel.swap(next_panel);
    }
}

template <class T, class Activation>
Cost DenseEngine<T, Activation>::cost(const Settings& settings, std::uint32_t width, std::uint32_t depth,
                                      std::size_t rates) {
    // Nanoseconds per weight, measured on one core: drawing, the two products with a vector, and the panel
    // product per column; then per neuron and column.
    constexpr double draw = 1.1;
    constexpr double vectors = 0.25;
    constexpr double panel = 0.035;
    constexpr double neuron = 2.0;
    const double n = width;
    const double matrix = n * n;
    const auto n0 = settings.model.input_dim;
    const auto columns = static_cast<double>(rates + 1);
    const std::size_t matrix_bytes = aligned_count<T>(std::size_t{width} * width) * sizeof(T);
    const std::size_t kept = std::min<std::size_t>(depth - 1, settings.weight_budget / matrix_bytes);
    const bool change = model::layer_laws(settings.model, width).moves_hidden_layers();
    const double redrawn = change ? 2.0 * static_cast<double>(depth - 1 - kept) : 0.0;

    // Of double precision the block is drawn in single, before it is widened.
    const std::size_t copies_of_block = std::is_same_v<T, double> ? 2 : 1;

    Cost cost;
    cost.seconds = 1e-9
                   * (draw * (n * n0 + matrix * (depth - 1 + redrawn)) + vectors * matrix * depth
                      + (change ? (panel * matrix + neuron * n) * columns * depth : 0.0));
    cost.bytes = kept * matrix_bytes
                 + sizeof(T)
                       * (detail::transposed_block_rows * std::max(width, n0) * copies_of_block
                          + 2 * std::size_t{width} * depth + 2 * std::size_t{width} * (rates + 1)
                          + 3 * std::size_t{width} + n0);
    return cost;
}

} // namespace etastar::engine

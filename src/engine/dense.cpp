#include "dense.hpp"

#include "etastar/engine/blas.hpp"

#include "change.hpp"
#include "kept.hpp"
#include "layer_columns.hpp"
#include "power_of_two.hpp"
#include "products.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace etastar::engine {
namespace {

// Rows of W drawn and multiplied at a time. Fixed, because the bits of a product may depend on it. Small
// enough that a block stays in the second-level cache, and that OpenBLAS multiplies it without packing where
// it can.
constexpr std::size_t block_rows = 32;
// The transposed product passes over its whole result once a block: fewer, larger blocks.
constexpr std::size_t transposed_block_rows = 128;
// Blocks of any number of columns follow each other aligned.
static_assert(block_rows * sizeof(float) % operand_alignment == 0);
static_assert(transposed_block_rows * sizeof(float) % operand_alignment == 0);

// Divides the values by a power of two near their root mean square, and returns it.
template <class T>
double normalize(double squares, std::size_t n, T* values) {
    const double unit = root_power_of_two(squares / static_cast<double>(n));
    const T inverse = static_cast<T>(1 / unit);
    for (std::size_t i = 0; i < n; ++i) values[i] *= inverse;
    return unit;
}

} // namespace

template <class T>
void DenseEngine<T>::prepare(const model::RandomNetwork& network) {
    const std::size_t n = network.width();
    const std::size_t depth = network.depth();
    const std::size_t matrix = aligned_count<T>(n * n);
    kept_layers_ =
        static_cast<std::uint32_t>(std::min(depth - 1, settings().weight_budget / (matrix * sizeof(T))));
    reserve_kept(kept_, kept_layers_ * matrix);
    block_.resize(transposed_block_rows * std::max(n, std::size_t{network.input_dim()}));
    z_.resize(n * depth);
    p_.resize(network.laws().moves_hidden_layers() ? z_.size() : 0);
    for (auto* values : {&h_, &slope_, &back_}) values->resize(n);
    z_unit_.assign(depth + 1, 1.0);
    p_unit_.assign(depth + 1, 1.0);

    std::vector<float> part(network.input_dim());
    network.input(part);
    x_.assign(part.begin(), part.end());
    v_.resize(n);
    network.readout(std::span(v_));
}

template <class T>
void DenseEngine<T>::draw_rows(const model::RandomNetwork& network, std::uint32_t layer, std::size_t row,
                               std::size_t rows, T* out) {
    network.weight_rows(layer, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows), out);
}

// Where the rows of W^layer from `row` on are kept.
template <class T>
T* DenseEngine<T>::kept_rows(const model::RandomNetwork& network, std::uint32_t layer, std::size_t row) {
    const std::size_t n = network.width();
    return kept_.data() + (layer - 2) * aligned_count<T>(n * n) + row * n;
}

// Rows of W^layer for the passes after the first.
template <class T>
const T* DenseEngine<T>::weight_rows(const model::RandomNetwork& network, std::uint32_t layer,
                                     std::size_t row, std::size_t rows) {
    if (keeps(layer)) return kept_rows(network, layer, row);
    draw_rows(network, layer, row, rows, block_.data());
    return block_.data();
}

template <class T>
void DenseEngine<T>::forward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = network.width();
    const bool absolute = model::step_rule(settings().model.optimizer).signs;
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& block = network.laws()[layer].block;
        const std::size_t cols = network.columns(layer);
        const T* input = layer == 1 ? x_.data() : h_.data();
        T* z = z_.data() + (layer - 1) * n;
        for (std::size_t row = 0; row < n; row += block_rows) {
            const std::size_t rows = std::min(block_rows, n - row);
            T* w = keeps(layer) ? kept_rows(network, layer, row) : block_.data();
            draw_rows(network, layer, row, rows, w);
            gemv(rows, cols, w, input, z + row);
        }
        if (block.skip != 0) {
            const T* below = z - n;
            const T skip = static_cast<T>(block.skip);
            const T branch = static_cast<T>(block.branch);
            for (std::size_t i = 0; i < n; ++i) z[i] = skip * below[i] + branch * z[i];
        }
        z_unit_[layer] = z_unit_[layer - 1];
        if (kernels_.activation->homogeneous) z_unit_[layer] *= normalize(kernels_.sums->dot(z, z, n), n, z);
        kernels_.activate(z, n, h_.data(), slope_.data());
        ForwardSums sums;
        kernels_.sums->forward({.count = n, .z = z, .h = h_.data(), .side = v_.data()}, absolute, sums);
        const double unit = z_unit_[layer];
        auto& measured = passes.layers[layer];
        measured.z2 = unit * sums.z2 * unit;
        measured.h2 = unit * sums.h2 * unit;
        measured.h1 = unit * sums.h1;
        passes.output = unit * sums.side; // in the end that of the last layer
    }
}

// On entry h_ and slope_ are those of the last layer.
template <class T>
void DenseEngine<T>::backward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = network.width();
    const bool absolute = model::step_rule(settings().model.optimizer).signs;
    const auto& block = network.laws().hidden.block;
    back_ = v_;
    double unit = normalize(kernels_.sums->dot(back_.data(), back_.data(), n), n, back_.data());
    for (std::uint32_t layer = network.depth(); layer >= 1; --layer) {
        T* p = p_.data() + (layer - 1) * n;
        if (layer < network.depth())
            kernels_.activate(z_.data() + (layer - 1) * n, n, h_.data(), slope_.data());
        // P^l = slope df/dh, and through the skip connection what the layer above has.
        GradientTerms<T> terms{.side_part = 1};
        if (layer < network.depth() && block.skip != 0) {
            terms.above = p + n;
            terms.above_part = static_cast<T>(block.skip * p_unit_[layer + 1] / unit);
        }
        p_unit_[layer] = unit;
        GradientSums sums;
        kernels_.sums->backward({.count = n, .h = h_.data(), .slope = slope_.data(), .side = back_.data()},
                                terms, absolute, p, sums);
        auto& measured = passes.layers[layer];
        measured.p2 = unit * sums.p2 * unit;
        measured.p1 = unit * sums.p1;
        if (layer == 1) break;
        std::fill(back_.begin(), back_.end(), T{0});
        for (std::size_t row = 0; row < n; row += transposed_block_rows) {
            const std::size_t rows = std::min(transposed_block_rows, n - row);
            gemv_transposed(rows, n, weight_rows(network, layer, row, rows), p + row, back_.data());
        }
        unit *= block.branch * normalize(kernels_.sums->dot(back_.data(), back_.data(), n), n, back_.data());
    }
}

template <class T>
void DenseEngine<T>::pass(const model::RandomNetwork& network, Passes& passes) {
    use_one_blas_thread();
    prepare(network);
    forward(network, passes);
    if (network.laws().moves_hidden_layers()) backward(network, passes);
}

template <class T>
void DenseEngine<T>::change(const model::RandomNetwork& network, const Passes& passes,
                            ChangeColumns& columns) {
    const std::size_t n = network.width();
    const std::size_t steps = columns.count() - 1;
    // A row per neuron: the response, then the steps in whole panels.
    const std::size_t stride = 1 + panels_for(steps) * panel_columns;
    const bool streams = network.laws().hidden.block.skip != 0;
    AlignedVector<T> below(n * stride); // mantissas of dh^{l-1}
    AlignedVector<T> above(n * stride); // and of dh^l
    AlignedVector<T> product(block_rows * stride);
    AlignedVector<T> stream(streams ? n * stride : 0); // mantissas of dz
    std::vector<T> skip(stride), carry(stride);
    const Terms terms{.base = true, .signs = columns.signs()};
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& lower = passes.layers[layer - 1];
        const bool carried = !columns.silent();
        columns.begin_layer(network.laws()[layer], {lower.h2, lower.h1, passes.layers[layer].p2});
        if (!columns.silent()) {
            const T* z = z_.data() + (layer - 1) * n;
            const T* p = p_.data() + (layer - 1) * n;
            kernels_.activate(z, n, h_.data(), slope_.data());
            LayerColumns<T> panels(columns, z_unit_[layer]);
            for (std::size_t k = 0; k < columns.count(); ++k) {
                const double inject = columns.inject(k);
                panels.set(k, {.base = streams ? 1 : columns.carry(k),
                               .gradient = columns.signs() ? 0 : inject * p_unit_[layer],
                               .sign = columns.signs() ? inject : 0});
                skip[k] = static_cast<T>(columns.skip(k));
                carry[k] = static_cast<T>(columns.carry(k));
            }
            for (std::size_t row = 0; row < n; row += block_rows) {
                const std::size_t rows = std::min(block_rows, n - row);
                if (carried)
                    gemm(rows, steps + 1, n, weight_rows(network, layer, row, rows), below.data(),
                         product.data(), stride);
                T* base = product.data();
                if (streams) {
                    base = stream.data() + row * stride;
                    for (std::size_t i = 0; i < rows; ++i)
                        for (std::size_t k = 0; k < stride; ++k)
                            base[i * stride + k] =
                                skip[k] * base[i * stride + k] + carry[k] * product[i * stride + k];
                }
                const Neurons<T> view{.count = rows,
                                      .z = z + row,
                                      .h = h_.data() + row,
                                      .slope = slope_.data() + row,
                                      .gradient = p + row,
                                      .side = v_.data() + row,
                                      .base = base,
                                      .out = above.data() + row * stride,
                                      .stride = stride};
                auto of_steps = view;
                ++of_steps.base;
                ++of_steps.out;
                panels.advance(kernels_, view, of_steps, terms);
            }
            panels.deliver(columns, [](double /*overlap*/, double projection) { return projection; });
        }
        columns.end_layer();
        below.swap(above);
    }
}

template <class T>
Cost DenseEngine<T>::cost(const Settings& settings, std::uint32_t width, std::uint32_t depth,
                          std::size_t rates) {
    // Nanoseconds per weight, measured on one core: drawing, the two products with a vector, and the panel
    // product per column; then per neuron and column.
    constexpr double draw = 1.1;
    constexpr double vectors = 0.25;
    constexpr double panel = 0.035;
    constexpr double neuron = 1.0;
    const double n = width;
    const double matrix = n * n;
    const auto n0 = settings.model.input_dim;
    const auto laws = model::layer_laws(settings.model, width, depth);
    const bool change = laws.moves_hidden_layers();
    const bool streams = laws.hidden.block.skip != 0;
    const auto columns = static_cast<double>(rates + 1);
    const std::size_t matrix_bytes = aligned_count<T>(std::size_t{width} * width) * sizeof(T);
    const std::size_t kept = std::min<std::size_t>(depth - 1, settings.weight_budget / matrix_bytes);
    const double redrawn = change ? 2.0 * static_cast<double>(depth - 1 - kept) : 0.0;

    const std::size_t stride = 1 + panels_for(rates) * panel_columns;
    const std::size_t panels = (streams ? 3 : 2) * std::size_t{width} + block_rows;

    Cost cost;
    cost.seconds = 1e-9
                   * (draw * (n * n0 + matrix * (depth - 1 + redrawn)) + vectors * matrix * depth
                      + (change ? (panel * matrix + neuron * n) * columns * depth : 0.0));
    cost.bytes = kept * matrix_bytes
                 + sizeof(T)
                       * (transposed_block_rows * std::max(width, n0) + 2 * std::size_t{width} * depth
                          + panels * stride + 4 * std::size_t{width} + n0);
    return cost;
}

template class DenseEngine<float>;
template class DenseEngine<double>;

} // namespace etastar::engine

#include "etastar/engine/dense.hpp"

#include "etastar/engine/blas.hpp"
#include "etastar/engine/change.hpp"

#include "blas_library.hpp"
#include "kept.hpp"
#include "power_of_two.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

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

blasint blas_int(std::size_t size) { return static_cast<blasint>(size); }

// y = A x for row-major A of rows x cols.
void gemv(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    blas_library().sgemv(CblasRowMajor, CblasNoTrans, blas_int(rows), blas_int(cols), 1.0f, a, blas_int(cols),
                         x, 1, 0.0f, y, 1);
}
void gemv(std::size_t rows, std::size_t cols, const double* a, const double* x, double* y) {
    blas_library().dgemv(CblasRowMajor, CblasNoTrans, blas_int(rows), blas_int(cols), 1.0, a, blas_int(cols),
                         x, 1, 0.0, y, 1);
}

// y += A^T x.
void gemv_transposed(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    blas_library().sgemv(CblasRowMajor, CblasTrans, blas_int(rows), blas_int(cols), 1.0f, a, blas_int(cols),
                         x, 1, 1.0f, y, 1);
}
void gemv_transposed(std::size_t rows, std::size_t cols, const double* a, const double* x, double* y) {
    blas_library().dgemv(CblasRowMajor, CblasTrans, blas_int(rows), blas_int(cols), 1.0, a, blas_int(cols), x,
                         1, 1.0, y, 1);
}

// C = A B for row-major A of rows x inner and B of inner x cols.
void gemm(std::size_t rows, std::size_t cols, std::size_t inner, const float* a, const float* b, float* c) {
    blas_library().sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0f, a, blas_int(inner), b, blas_int(cols), 0.0f, c,
                         blas_int(cols));
}
void gemm(std::size_t rows, std::size_t cols, std::size_t inner, const double* a, const double* b,
          double* c) {
    blas_library().dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0, a, blas_int(inner), b, blas_int(cols), 0.0, c, blas_int(cols));
}

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
template <class T>
class LayerKernel {
public:
    LayerKernel(ChangeColumns& columns, double z_unit, double delta_unit)
        : columns_(columns), size_(columns.count()), z_unit_(z_unit) {
        for (std::size_t k = 0; k < size_; ++k) {
            carry_.push_back(static_cast<T>(columns.carry(k)));
            inject_.push_back(static_cast<T>(columns.inject(k) * delta_unit));
            kink_.push_back(static_cast<T>(columns.kink(k, z_unit)));
        }
        change2_.resize(size_);
        active2_.resize(size_);
        overlap_.resize(size_);
        projection_.resize(size_);
    }
    ~LayerKernel() {
        for (std::size_t k = 0; k < size_; ++k)
            columns_.sums(k) = {change2_[k], active2_[k], z_unit_ * overlap_[k], projection_[k]};
    }
    LayerKernel(const LayerKernel&) = delete;
    LayerKernel& operator=(const LayerKernel&) = delete;

    // product: (W e)_i for every column; out: e'_i. p: the vector that projections are taken on, at i.
    void advance(const T* product, T z, T delta, T p, T* out) {
        const double h = z > T{0} ? static_cast<double>(z) : 0.0;
        const double along = static_cast<double>(p);
        for (std::size_t k = 0; k < size_; ++k) {
            const T d = carry_[k] * product[k] + inject_[k] * delta;
            const T e = relu_change(z, d, kink_[k]);
            out[k] = e;
            const double wide_d = static_cast<double>(d);
            const double wide_e = static_cast<double>(e);
            change2_[k] += wide_d * wide_d;
            active2_[k] += wide_e * wide_e;
            overlap_[k] += h * wide_e;
            projection_[k] += along * wide_e;
        }
    }

private:
    ChangeColumns& columns_;
    std::size_t size_;
    double z_unit_;
    std::vector<T> carry_, inject_, kink_;
    std::vector<double> change2_, active2_, overlap_, projection_;
};

} // namespace

template <class T>
DenseEngine<T>::DenseEngine(std::uint32_t input_dim, network::Train train, network::Rates rates,
                            std::size_t weight_budget)
    : input_dim_(input_dim), train_(train), rates_(rates), weight_budget_(weight_budget) {}

template <class T>
void DenseEngine<T>::prepare(const network::Network& network) {
    const std::size_t n = network.width();
    const std::size_t depth = network.depth();
    const std::size_t matrix = aligned_count<T>(n * n);
    kept_layers_ = static_cast<std::uint32_t>(std::min(depth - 1, weight_budget_ / (matrix * sizeof(T))));
    reserve_kept(kept_, kept_layers_ * matrix);
    block_.resize(transposed_block_rows * std::max(n, std::size_t{input_dim_}));
    if constexpr (std::is_same_v<T, double>) variates_.resize(block_.size());
    z_.resize(n * depth);
    hidden_.resize(n);
    z_unit_.assign(depth + 1, 1.0);
    delta_unit_.assign(depth + 1, 1.0);
    q_.assign(depth + 1, 0.0);
    delta2_.assign(depth + 1, 0.0);

    std::vector<float> part(input_dim_);
    network.input(part);
    x_.assign(part.begin(), part.end());
    part.resize(n);
    network.readout(part);
    v_.assign(part.begin(), part.end());
}

template <class T>
void DenseEngine<T>::draw_rows(const network::Network& network, std::uint32_t layer, std::size_t row,
                               std::size_t rows, T* out) {
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
template <class T>
T* DenseEngine<T>::kept_rows(const network::Network& network, std::uint32_t layer, std::size_t row) {
    const std::size_t n = network.width();
    return kept_.data() + (layer - 2) * aligned_count<T>(n * n) + row * n;
}

// Rows of W^layer for the passes after the first.
template <class T>
const T* DenseEngine<T>::weight_rows(const network::Network& network, std::uint32_t layer, std::size_t row,
                                     std::size_t rows) {
    if (keeps(layer)) return kept_rows(network, layer, row);
    draw_rows(network, layer, row, rows, block_.data());
    return block_.data();
}

template <class T>
void DenseEngine<T>::forward(const network::Network& network) {
    const std::size_t n = network.width();
    q_[0] = dot(x_.size(), x_.data(), x_.data());
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const std::size_t cols = network.columns(layer);
        const T* h = layer == 1 ? x_.data() : hidden_.data();
        T* z = z_.data() + (layer - 1) * n;
        for (std::size_t row = 0; row < n; row += block_rows) {
            const std::size_t rows = std::min(block_rows, n - row);
            T* w = keeps(layer) ? kept_rows(network, layer, row) : block_.data();
            draw_rows(network, layer, row, rows, w);
            gemv(rows, cols, w, h, z + row);
        }
        const double unit = z_unit_[layer] = z_unit_[layer - 1] * normalize(n, z);
        for (std::size_t i = 0; i < n; ++i) hidden_[i] = std::max(z[i], T{0});
        q_[layer] = unit * dot(n, hidden_.data(), hidden_.data()) * unit;
    }
    output_ = z_unit_.back() * dot(n, v_.data(), hidden_.data());
}

template <class T>
void DenseEngine<T>::backward(const network::Network& network) {
    const std::size_t n = network.width();
    AlignedVector<T>& u = hidden_; // df/dh^l
    u = v_;
    double unit = normalize(n, u.data());
    for (std::uint32_t layer = network.depth(); layer >= 1; --layer) {
        const T* z = z_.data() + (layer - 1) * n;
        T* delta = delta_.data() + (layer - 1) * n;
        for (std::size_t i = 0; i < n; ++i) delta[i] = z[i] > T{0} ? u[i] : T{0};
        delta_unit_[layer] = unit;
        delta2_[layer] = unit * dot(n, delta, delta) * unit;
        if (layer == 1) break;
        std::fill(u.begin(), u.end(), T{0});
        for (std::size_t row = 0; row < n; row += transposed_block_rows) {
            const std::size_t rows = std::min(transposed_block_rows, n - row);
            gemv_transposed(rows, n, weight_rows(network, layer, row, rows), delta + row, u.data());
        }
        unit *= normalize(n, u.data());
    }
}

template <class T>
NetworkOutcome DenseEngine<T>::run(const network::NetworkId& id, std::span<const double> rates) {
    use_one_blas_thread();
    const network::Network network(id, input_dim_);
    const std::size_t n = id.width;
    const auto multiplier = network::multipliers(train_, rates_, id.width, input_dim_);
    const bool hidden_layers_change = multiplier.first != 0 || multiplier.hidden != 0;

    prepare(network);
    forward(network);
    delta_.resize(hidden_layers_change ? z_.size() : 0);
    if (hidden_layers_change) backward(network);

    NetworkOutcome outcome;
    outcome.target = network.target();
    outcome.output = output_;
    const double error = output_ - outcome.target;

    std::vector<double> gains;
    for (const double rate : rates) gains.push_back(-rate * error);
    ChangeColumns columns(gains, n);
    const std::size_t k_count = columns.count();

    outcome.response.assign(id.depth, 0.0);
    double theta = multiplier.last * q_[id.depth];
    if (!hidden_layers_change) {
        columns.end_layer();
    } else {
        AlignedVector<T> panel(n * k_count);      // mantissas of dh^{l-1}, a row per neuron
        AlignedVector<T> next_panel(n * k_count); // and of dh^l
        AlignedVector<T> product(block_rows * k_count);
        for (std::uint32_t layer = 1; layer <= id.depth; ++layer) {
            const double m = layer == 1 ? multiplier.first : multiplier.hidden;
            const bool carried = !columns.silent();
            theta += m * q_[layer - 1] * delta2_[layer];
            columns.begin_layer(m, q_[layer - 1], delta2_[layer]);
            if (!columns.silent()) {
                LayerKernel<T> kernel(columns, z_unit_[layer], delta_unit_[layer]);
                const T* z = z_.data() + (layer - 1) * n;
                const T* delta = delta_.data() + (layer - 1) * n;
                for (std::size_t row = 0; row < n; row += block_rows) {
                    const std::size_t rows = std::min(block_rows, n - row);
                    if (carried)
                        gemm(rows, k_count, n, weight_rows(network, layer, row, rows), panel.data(),
                             product.data());
                    for (std::size_t i = 0; i < rows; ++i)
                        kernel.advance(product.data() + i * k_count, z[row + i], delta[row + i], v_[row + i],
                                       next_panel.data() + (row + i) * k_count);
                }
            }
            columns.end_layer();
            outcome.response[layer - 1] = columns.last(0);
            panel.swap(next_panel);
        }
    }
    outcome.response_output = theta * theta;

    outcome.steps = columns.outcomes(output_, multiplier.last, q_[id.depth]);
    return outcome;
}

template <class T>
Estimate DenseEngine<T>::estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                                  std::size_t weight_budget) {
    // Nanoseconds per weight, measured on one core: drawing, the two products with a vector, and the panel
    // product per column; then per neuron and column.
    constexpr double draw = 1.1;
    constexpr double vectors = 0.25;
    constexpr double panel = 0.035;
    constexpr double neuron = 2.0;
    const double n = width;
    const double matrix = n * n;
    const double columns = static_cast<double>(spec.eta.size() + 1);
    const std::size_t matrix_bytes = aligned_count<T>(std::size_t{width} * width) * sizeof(T);
    const std::size_t kept = std::min<std::size_t>(depth - 1, weight_budget / matrix_bytes);
    const bool change = spec.train != network::Train::last;
    const double redrawn = change ? 2.0 * static_cast<double>(depth - 1 - kept) : 0.0;

    Estimate e;
    e.seconds = 1e-9
                * (draw * (n * spec.input_dim + matrix * (depth - 1 + redrawn)) + vectors * matrix * depth
                   + (change ? (panel * matrix + neuron * n) * columns * depth : 0.0));
    e.bytes = kept * matrix_bytes
              + sizeof(T)
                    * (transposed_block_rows * std::max(width, spec.input_dim) * (sizeof(T) / sizeof(float))
                       + 2 * std::size_t{width} * depth + 2 * std::size_t{width} * (spec.eta.size() + 1)
                       + 3 * std::size_t{width} + spec.input_dim);
    return e;
}

template class DenseEngine<float>;
template class DenseEngine<double>;

} // namespace etastar::engine

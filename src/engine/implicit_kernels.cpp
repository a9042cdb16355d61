// Compiled once per instruction set, with ETASTAR_ISA naming it.
#include "implicit_kernels.hpp"

namespace etastar::engine::ETASTAR_ISA {
namespace {

// Vectors of the width that this instruction set has; wider ones are taken apart badly.
#if defined(__AVX512F__)
constexpr std::size_t native_bytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t native_bytes = 32;
#else
constexpr std::size_t native_bytes = 16;
#endif

template <class T>
struct Native {
    using Vector __attribute__((vector_size(native_bytes))) = T;
    static constexpr std::size_t lanes = native_bytes / sizeof(T);
};

template <class Vector, class T>
inline Vector load(const T* from) {
    Vector v;
    __builtin_memcpy(&v, from, sizeof(v));
    return v;
}

// Sums over neurons of products of floats, which are exact in double. Eight partial sums whatever the
// vectors' width.
constexpr std::size_t group = 8;
constexpr std::size_t double_lanes = Native<double>::lanes;
constexpr std::size_t parts = group / double_lanes;
using DoublePart = Native<double>::Vector;
using FloatPart __attribute__((vector_size(double_lanes * sizeof(float)))) = float;

struct Floats {
    FloatPart part[parts];
};

class ProductSum {
public:
    void add(const Floats& a, const Floats& b) {
        for (std::size_t p = 0; p < parts; ++p)
            sums_[p] += __builtin_convertvector(a.part[p], DoublePart)
                        * __builtin_convertvector(b.part[p], DoublePart);
    }
    double total() const {
        double sum = 0;
        for (std::size_t i = 0; i < group; ++i) sum += sums_[i / double_lanes][i % double_lanes];
        return sum;
    }

private:
    DoublePart sums_[parts] = {};
};

inline Floats where_positive(const Floats& condition, const Floats& v) {
    Floats masked;
    for (std::size_t p = 0; p < parts; ++p) masked.part[p] = condition.part[p] > 0 ? v.part[p] : FloatPart{};
    return masked;
}

// Calls body for groups of eight neurons; the rest is padded with zeros, which add nothing to any sum.
template <std::size_t Inputs, class Body>
inline void for_groups(const float* const (&inputs)[Inputs], std::size_t count, Body body) {
    Floats values[Inputs];
    std::size_t i = 0;
    for (; i + group <= count; i += group) {
        for (std::size_t k = 0; k < Inputs; ++k) values[k] = load<Floats>(inputs[k] + i);
        body(values);
    }
    if (i == count) return;
    for (std::size_t k = 0; k < Inputs; ++k) {
        float padded[group] = {};
        for (std::size_t j = i; j < count; ++j) padded[j - i] = inputs[k][j];
        values[k] = load<Floats>(padded);
    }
    body(values);
}

void forward(const float* g, std::size_t count, ForwardSums& sums) {
    ProductSum squares;
    ProductSum active;
    for_groups({g}, count, [&](const Floats(&v)[1]) {
        const Floats h = where_positive(v[0], v[0]);
        squares.add(v[0], v[0]);
        active.add(h, h);
    });
    sums.squares += squares.total();
    sums.active += active.total();
}

void backward(const float* g, const float* back, std::size_t count, BackwardSums& sums) {
    ProductSum overlap;
    ProductSum active;
    for_groups({g, back}, count, [&](const Floats(&v)[2]) {
        const Floats masked = where_positive(v[0], v[1]);
        overlap.add(v[0], masked);
        active.add(masked, masked);
    });
    sums.overlap += overlap.total();
    sums.active += active.total();
}

void fresh(const float* g, const float* back, const float* fresh, std::size_t count, FreshSums& sums) {
    ProductSum squares;
    ProductSum active;
    ProductSum forward;
    ProductSum overlap;
    ProductSum backward;
    for_groups({g, back, fresh}, count, [&](const Floats(&v)[3]) {
        const Floats masked = where_positive(v[0], v[2]);
        squares.add(v[2], v[2]);
        active.add(masked, masked);
        forward.add(v[0], v[2]);
        overlap.add(v[0], masked);
        backward.add(v[1], masked);
    });
    sums.squares += squares.total();
    sums.active += active.total();
    sums.forward += forward.total();
    sums.overlap += overlap.total();
    sums.backward += backward.total();
}

// Neurons whose products are summed in T before the sum enters double: with T = float a rounding error of
// 1e-7 of a short sum, for half the work of widening every product.
constexpr std::size_t short_sum = 32;

template <class T>
void panel(const float* g, const float* back, const float* fresh, std::size_t count, Panel<T>& panel) {
    using Vector = typename Native<T>::Vector;
    constexpr std::size_t lanes = Native<T>::lanes;
    // As many columns at a time as their coefficients and sums stay in registers.
    constexpr std::size_t vectors = lanes == panel_columns ? 1 : 2;
    static_assert(panel_columns % (vectors * lanes) == 0);
    for (std::size_t first = 0; first < count; first += short_sum) {
        const std::size_t neurons = first + short_sum < count ? short_sum : count - first;
        // What all columns share, ahead of them and without branches: a relu's side is a coin toss.
        T z[short_sum];
        T p[short_sum];
        T r[short_sum];
        T active[short_sum];
        T inactive[short_sum];
        T delta[short_sum];
        for (std::size_t i = 0; i < neurons; ++i) {
            z[i] = g[first + i];
            p[i] = back[first + i];
            r[i] = fresh[first + i];
            const T linear = panel.delta_forward * z[i] + panel.delta_backward * p[i];
            active[i] = z[i] > 0 ? z[i] : 0;
            inactive[i] = z[i] > 0 ? 0 : z[i];
            delta[i] = z[i] > 0 ? linear : 0;
        }
        for (std::size_t column = 0; column < panel_columns; column += vectors * lanes) {
            Vector a[vectors];
            Vector b[vectors];
            Vector c[vectors];
            Vector kink[vectors];
            Vector change2[vectors] = {};
            Vector active2[vectors] = {};
            Vector overlap[vectors] = {};
            Vector projection[vectors] = {};
            for (std::size_t k = 0; k < vectors; ++k) {
                a[k] = load<Vector>(panel.forward + column + k * lanes);
                b[k] = load<Vector>(panel.backward + column + k * lanes);
                c[k] = load<Vector>(panel.fresh + column + k * lanes);
                kink[k] = load<Vector>(panel.kink + column + k * lanes);
            }
            for (std::size_t i = 0; i < neurons; ++i) {
                for (std::size_t k = 0; k < vectors; ++k) {
                    const Vector d = a[k] * z[i] + b[k] * delta[i] + c[k] * r[i];
                    // model::Relu::change()
                    const Vector floor = -active[i] * kink[k];
                    const Vector shifted = d + inactive[i] * kink[k];
                    const Vector e = shifted < floor ? floor : shifted;
                    change2[k] += d * d;
                    active2[k] += e * e;
                    overlap[k] += e * active[i];
                    projection[k] += e * p[i];
                }
            }
            for (std::size_t k = 0; k < vectors; ++k)
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    const std::size_t at = column + k * lanes + lane;
                    panel.change2[at] += change2[k][lane];
                    panel.active2[at] += active2[k][lane];
                    panel.overlap[at] += overlap[k][lane];
                    panel.projection[at] += projection[k][lane];
                }
        }
    }
}

} // namespace

extern const ImplicitKernels kernels;
const ImplicitKernels kernels = {ETASTAR_ISA_NAME, forward, backward, fresh, panel<float>, panel<double>};

} // namespace etastar::engine::ETASTAR_ISA

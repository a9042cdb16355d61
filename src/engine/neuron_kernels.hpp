#pragma once

#include "etastar/model/activation.hpp"

#include <array>
#include <cstddef>
#include <span>

// The loops over the neurons of a layer, compiled once per instruction set (neuron_kernels.cpp). Sums are in double; those
// of the panels sum 32 products in T first. The order is fixed: every set gives the same bits.
namespace etastar::engine {

// Columns that one pass over the neurons carries: one vector of floats with AVX-512.
inline constexpr std::size_t panel_columns = 16;
constexpr std::size_t panels_for(std::size_t rates) { return (rates + panel_columns - 1) / panel_columns; }

// Consecutive neurons of a layer z^l: vectors of `count` values each, in units of the engine's choice (ChangeColumns). The
// base and the output are matrices with a row per neuron, `stride` values apart; null where there is none.
template <class T>
struct Neurons {
    std::size_t count = 0;
    const T* z = nullptr;
    const T* h = nullptr;        // phi(z)
    const T* slope = nullptr;    // phi'(z)
    const T* forward = nullptr;  // what W^l made of the layer below before the step
    const T* gradient = nullptr; // df/dz
    const T* fresh = nullptr;    // variates
    const T* side = nullptr;     // the vector that projections are taken on
    T* base = nullptr;           // in: what d begins with; out: d
    T* out = nullptr;            // e
    std::size_t stride = 0;
};

// Which terms of d there are. Terms that are not there cost nothing.
struct Terms {
    bool base = false;     // base d0
    bool gaussian = false; // forward (W h) + fresh g''
    bool signs = false;    // sign sgn(df/dz), and the sum of sgn(h) e
};

// A change d of z and e of phi(z), docs of ChangeColumns:
//     d = base d0 + forward (W h) + backward df/dz + fresh g'' + sign sgn(df/dz)
//     e = (phi(z + step d) - phi(z)) / step
template <class Value, class Sum>
struct ChangeTerms {
    Value base{}, forward{}, backward{}, fresh{}, sign{};
    // Sums over neurons, added to: d^2, e^2, h e, side e, sgn(h) e.
    Sum change2{}, active2{}, overlap{}, projection{}, sign_overlap{};
};

// One column: the linear response, whose e is phi'(z) d.
template <class T>
using Response = ChangeTerms<T, double>;

// As many columns as a panel has.
template <class T>
struct Panel : ChangeTerms<std::array<T, panel_columns>, std::array<double, panel_columns>> {
    std::array<T, panel_columns> step{};
    std::array<T, panel_columns> kink{}; // 1 / step
};

// Of z and h: sum z^2, sum h^2, sum h side, sum |h|.
struct ForwardSums {
    double z2 = 0;
    double h2 = 0;
    double side = 0;
    double h1 = 0;
};

// P = df/dz of the neurons: slope (h_part h + side_part side) + above_part above; `above` may be null.
template <class T>
struct GradientTerms {
    T h_part = 0;
    T side_part = 0;
    T above_part = 0;
    const T* above = nullptr;
};

// Of P: sum P^2, sum P forward, sum P fresh, sum |P|.
struct GradientSums {
    double p2 = 0;
    double along = 0;
    double fresh = 0;
    double p1 = 0;
};

// For any activation. Counts are multiples of 16 or the end of a layer; sums are added to.
template <class T>
struct SumKernels {
    void (*widen)(const float* from, std::size_t count, T* to);
    void (*scale)(const float* from, T factor, std::size_t count, T* to); // to = factor from
    // to = a from + b g
    void (*stream)(const T* from, T a, const float* g, T b, std::size_t count, T* to);
    void (*forward)(const Neurons<T>& neurons, bool absolute, ForwardSums& sums);
    // P where there is nothing above; and of any network P with its sums: p may be null; forward and fresh may, and add nothing.
    void (*gradient)(const Neurons<T>& neurons, const GradientTerms<T>& terms, T* p);
    void (*backward)(const Neurons<T>& neurons, const GradientTerms<T>& terms, bool absolute, T* p,
                     GradientSums& sums);
    double (*dot)(const T* a, const T* b, std::size_t count);
    // base d0 is read from and d written to every stride-th value of the base, likewise e.
    void (*response)(const Neurons<T>& neurons, Terms terms, Response<T>& response);
};

// Of one activation.
template <class T>
struct ActivationKernels {
    using Panels = void (*)(double leak, const Neurons<T>& neurons, Panel<T>& panel);

    void (*activate)(double leak, const T* z, std::size_t count, T* h,
                     T* slope); // h = phi(z), slope = phi'(z)
    Panels panels[2][2][2];     // by Terms: base, gaussian, signs
    bool homogeneous;           // phi(a z) = a phi(z) for a > 0: z may be kept in any unit
};

// Everything that an engine computing in T needs of an activation.
template <class T>
struct NeuronKernels {
    const SumKernels<T>* sums;
    const ActivationKernels<T>* activation;
    double leak = 0;

    void activate(const T* z, std::size_t count, T* h, T* slope) const {
        activation->activate(leak, z, count, h, slope);
    }
    void panel(const Neurons<T>& neurons, Terms terms, Panel<T>& panel) const {
        activation->panels[terms.base][terms.gaussian][terms.signs](leak, neurons, panel);
    }
};

inline constexpr std::size_t activation_count = Names<model::Activation>::table.size();

struct KernelSet {
    const char* isa;
    SumKernels<float> sums_single;
    SumKernels<double> sums_double;
    ActivationKernels<float> single_[activation_count];
    ActivationKernels<double> double_[activation_count];

    template <class T>
    NeuronKernels<T> of(model::Activation activation, double leak) const {
        const auto at = static_cast<std::size_t>(activation);
        if constexpr (std::is_same_v<T, float>)
            return {&sums_single, &single_[at], leak};
        else
            return {&sums_double, &double_[at], leak};
    }
};

// Every set this processor can run, narrowest first, and the widest.
std::span<const KernelSet* const> supported_kernel_sets();
const KernelSet& kernel_set();

} // namespace etastar::engine

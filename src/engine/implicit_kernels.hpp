#pragma once

#include <cstddef>
#include <span>
#include <vector>

// The loops over neurons of the implicit engine, compiled once per instruction set from implicit_kernels.cpp.
// Sums are in double and of exact products, but for the panels, which sum 32 products in T first. The order
// is fixed: every set gives the same bits.
namespace etastar::engine {

// Columns that one pass over the neurons carries: one vector of floats with AVX-512.
inline constexpr std::size_t panel_columns = 16;

struct ForwardSums {
    double squares = 0; // sum g^2
    double active = 0;  // the same over g > 0
};

struct BackwardSums {
    double overlap = 0; // sum g g' over g > 0
    double active = 0;  // sum g'^2 over g > 0
};

// Products with the fresh vector g''.
struct FreshSums {
    double squares = 0;  // sum g''^2
    double active = 0;   // the same over g > 0
    double forward = 0;  // sum g g''
    double overlap = 0;  // the same over g > 0
    double backward = 0; // sum g' g'' over g > 0
};

// One layer of `panel_columns` steps: with delta = delta_forward g + delta_backward g' where g > 0, else 0,
//     d = forward g + backward delta + fresh g'',   e = model::Relu::change(g, d, kink).
template <class T>
struct Panel {
    T delta_forward = 0;
    T delta_backward = 0;
    T forward[panel_columns] = {};
    T backward[panel_columns] = {};
    T fresh[panel_columns] = {};
    T kink[panel_columns] = {};
    // Sums over neurons, added to: d^2, e^2, g e over g > 0, g' e.
    double change2[panel_columns] = {};
    double active2[panel_columns] = {};
    double overlap[panel_columns] = {};
    double projection[panel_columns] = {};
};

struct ImplicitKernels {
    const char* isa;
    // count is a multiple of 16 or the end of the layer; sums are added to.
    void (*forward)(const float* g, std::size_t count, ForwardSums& sums);
    void (*backward)(const float* g, const float* back, std::size_t count, BackwardSums& sums);
    void (*fresh)(const float* g, const float* back, const float* fresh, std::size_t count, FreshSums& sums);
    void (*panel_single)(const float* g, const float* back, const float* fresh, std::size_t count,
                         Panel<float>& panel);
    void (*panel_double)(const float* g, const float* back, const float* fresh, std::size_t count,
                         Panel<double>& panel);
};

// Every kernel set this processor can run, narrowest first, and the widest.
std::span<const ImplicitKernels* const> supported_implicit_kernels();
const ImplicitKernels& implicit_kernels();

} // namespace etastar::engine

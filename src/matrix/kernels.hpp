#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

// The loops over the values of long vectors, compiled once per instruction set (kernels.cpp). The order of every sum is
// fixed: every set gives the same bits.
namespace etastar::matrix {

// Lengths and strides are multiples of this many bytes; what a vector does not fill is 0.
inline constexpr std::size_t line_bytes = 64;

// Vectors of one length, `stride` values apart.
template <class T>
struct Columns {
    T* values = nullptr;
    std::size_t stride = 0;
    std::size_t count = 0;

    T* operator[](std::size_t k) const { return values + k * stride; }
};

template <class T>
struct Loops {
    // sums[k h.count + p] += q_k . h_p, summed in T over the length, which is short where T is float.
    void (*project)(const Columns<T>& q, const Columns<T>& h, std::size_t length, double* sums);
    // h_p += sum_k factors[k h.count + p] q_k
    void (*combine)(const Columns<T>& q, const T* factors, const Columns<T>& h, std::size_t length);
    // sums[i h.count + j] += h_i . h_j for i <= j, in double; others are undefined.
    void (*products)(const Columns<T>& h, std::size_t length, double* sums);
    // h_j = sum_{i <= j} h_i triangle[i h.count + j], in double; the rest of the triangle is 0.
    void (*transform)(const Columns<T>& h, const double* triangle, std::size_t length);
};

struct Kernels {
    const char* isa;
    Loops<float> single_;
    Loops<double> double_;

    template <class T>
    const Loops<T>& of() const {
        if constexpr (std::is_same_v<T, float>)
            return single_;
        else
            return double_;
    }
};

// Every set this processor can run, narrowest first, and the widest.
std::span<const Kernels* const> supported_kernels();
const Kernels& widest_kernels();

} // namespace etastar::matrix

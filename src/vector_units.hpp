#pragma once

// Vectors and sums that kernels are made of, for the instruction set that the including file is compiled for: ETASTAR_ISA is
// its namespace.
#include <cstddef>

namespace etastar::vector_units::ETASTAR_ISA {

// Vectors of the width that this instruction set has; wider ones are taken apart badly.
#if defined(__AVX512F__)
inline constexpr std::size_t native_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t native_bytes = 32;
#else
inline constexpr std::size_t native_bytes = 16;
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

template <class Vector, class T>
inline void store(const Vector& v, T* to) {
    __builtin_memcpy(to, &v, sizeof(v));
}

// Sums over neurons of products, exact in double where T is float. Eight partial sums whatever the vectors' width.
inline constexpr std::size_t group = 8;
inline constexpr std::size_t double_lanes = Native<double>::lanes;
inline constexpr std::size_t parts = group / double_lanes;
using DoublePart = Native<double>::Vector;

template <class T>
struct Group {
    using Part __attribute__((vector_size(double_lanes * sizeof(T)))) = T;
    Part part[parts];
};

struct Doubles {
    DoublePart part[parts];
};

template <class T>
inline Doubles widen(const Group<T>& values) {
    Doubles wide;
    for (std::size_t p = 0; p < parts; ++p)
        wide.part[p] = __builtin_convertvector(values.part[p], DoublePart);
    return wide;
}

class ProductSum {
public:
    void add(const Doubles& a, const Doubles& b) {
        for (std::size_t p = 0; p < parts; ++p) sums_[p] += a.part[p] * b.part[p];
    }
    void add_absolute(const Doubles& a) {
        for (std::size_t p = 0; p < parts; ++p) sums_[p] += a.part[p] < 0 ? -a.part[p] : a.part[p];
    }
    double total() const {
        double sum = 0;
        for (std::size_t i = 0; i < group; ++i) sum += sums_[i / double_lanes][i % double_lanes];
        return sum;
    }

private:
    DoublePart sums_[parts] = {};
};

} // namespace etastar::vector_units::ETASTAR_ISA

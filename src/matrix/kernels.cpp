// Compiled once per instruction set, with ETASTAR_ISA naming it.
#include "kernels.hpp"

#include "../vector_units.hpp"

#include <cstddef>
#include <type_traits>

namespace etastar::matrix::ETASTAR_ISA {
namespace {

using namespace vector_units::ETASTAR_ISA;

// Partial sums of a product, whatever the vectors' width.
template <class T>
inline constexpr std::size_t lanes = line_bytes / sizeof(T);

// Vectors of the second operand that are taken at a time: as many as sums fit the registers.
#if defined(__AVX512F__)
inline constexpr std::size_t tile = 4;
#else
inline constexpr std::size_t tile = 2;
#endif

// A vector's worth of values as Sum.
template <class Sum, class T>
inline typename Native<Sum>::Vector load_as(const T* from) {
    if constexpr (std::is_same_v<Sum, T>) {
        return load<typename Native<Sum>::Vector>(from);
    } else {
        using Part __attribute__((vector_size(Native<Sum>::lanes * sizeof(T)))) = T;
        return __builtin_convertvector(load<Part>(from), typename Native<Sum>::Vector);
    }
}

// Partial sums are added up in halves: here the first steps, down to four.
template <class T>
struct Four {
    using Vector __attribute__((vector_size(4 * sizeof(T)))) = T;
};
template <class T>
inline typename Four<T>::Vector fold(const T* partial) {
    using Vector = typename Four<T>::Vector;
    const Vector low = load<Vector>(partial);
    const Vector high = load<Vector>(partial + 4);
    if constexpr (lanes<T> == 8)
        return low + high;
    else
        return (low + load<Vector>(partial + 8)) + (high + load<Vector>(partial + 12));
}

// Of `Count` products: to[i] = the sum of partial[i].
template <std::size_t Count, class T>
inline void total(const T (*partial)[lanes<T>], T* to) {
    if constexpr (Count % 4 == 0) {
        for (std::size_t i = 0; i < Count; i += 4) {
            const auto a = fold(partial[i]);
            const auto b = fold(partial[i + 1]);
            const auto c = fold(partial[i + 2]);
            const auto d = fold(partial[i + 3]);
            // a0 + a2, b0 + b2, a1 + a3, b1 + b3
            const auto ab =
                __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
            const auto cd =
                __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
            store(__builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                  to + i);
        }
    } else {
        for (std::size_t i = 0; i < Count; ++i) {
            const auto a = fold(partial[i]);
            to[i] = (a[0] + a[2]) + (a[1] + a[3]);
        }
    }
}

// Products of Q vectors with H, summed in Sum.
template <class Sum, std::size_t Q, std::size_t H, class T>
inline void project_tile(const T* q, std::size_t q_stride, const T* h, std::size_t h_stride,
                         std::size_t length, double* sums, std::size_t stride) {
    using Vector = typename Native<Sum>::Vector;
    Sum partial[Q * H][lanes<Sum>];
    for (std::size_t part = 0; part < lanes<Sum>; part += Native<Sum>::lanes) {
        Vector sum[Q][H] = {};
        for (std::size_t i = part; i < length; i += lanes<Sum>) {
            Vector right[H];
#pragma GCC unroll 4
            for (std::size_t p = 0; p < H; ++p) right[p] = load_as<Sum>(h + p * h_stride + i);
#pragma GCC unroll 8
            for (std::size_t k = 0; k < Q; ++k) {
                const Vector left = load_as<Sum>(q + k * q_stride + i);
#pragma GCC unroll 4
                for (std::size_t p = 0; p < H; ++p) sum[k][p] += left * right[p];
            }
        }
        for (std::size_t k = 0; k < Q; ++k)
            for (std::size_t p = 0; p < H; ++p) store(sum[k][p], partial[k * H + p] + part);
    }
    Sum totals[Q * H];
    total<Q * H>(partial, totals);
    for (std::size_t k = 0; k < Q; ++k)
        for (std::size_t p = 0; p < H; ++p) sums[k * stride + p] += totals[k * H + p];
}

template <std::size_t Q, std::size_t H, class T>
inline void combine_tile(const T* q, std::size_t q_stride, const T* factors, std::size_t stride, T* h,
                         std::size_t h_stride, std::size_t length) {
    using Vector = typename Native<T>::Vector;
    Vector factor[Q][H];
    for (std::size_t k = 0; k < Q; ++k)
        for (std::size_t p = 0; p < H; ++p) factor[k][p] = Vector{} + factors[k * stride + p];
    for (std::size_t i = 0; i < length; i += Native<T>::lanes) {
        Vector sum[H];
#pragma GCC unroll 4
        for (std::size_t p = 0; p < H; ++p) sum[p] = load<Vector>(h + p * h_stride + i);
#pragma GCC unroll 8
        for (std::size_t k = 0; k < Q; ++k) {
            const auto left = load<Vector>(q + k * q_stride + i);
#pragma GCC unroll 4
            for (std::size_t p = 0; p < H; ++p) sum[p] += factor[k][p] * left;
        }
#pragma GCC unroll 4
        for (std::size_t p = 0; p < H; ++p) store(sum[p], h + p * h_stride + i);
    }
}

// Calls body<Q>(k) for tiles of Q vectors that make up `count`, large ones first.
template <std::size_t Q, class Body>
inline void for_tiles(std::size_t first, std::size_t count, Body body) {
    for (; first + Q <= count; first += Q) body.template operator()<Q>(first);
    if constexpr (Q > 1) for_tiles<Q / 2>(first, count, body);
}

// Tiles of both operands: longer ones of the first where the second is a single vector.
template <class Body>
inline void for_tile_pairs(std::size_t q_count, std::size_t h_count, Body body) {
    for_tiles<tile>(0, h_count, [&]<std::size_t H>(std::size_t p) {
        for_tiles<H == 1 ? 8 : 4>(
            0, q_count, [&]<std::size_t Q>(std::size_t k) { body.template operator()<Q, H>(k, p); });
    });
}

template <class T>
void project(const Columns<T>& q, const Columns<T>& h, std::size_t length, double* sums) {
    for_tile_pairs(q.count, h.count, [&]<std::size_t Q, std::size_t H>(std::size_t k, std::size_t p) {
        project_tile<T, Q, H>(q[k], q.stride, h[p], h.stride, length, sums + k * h.count + p, h.count);
    });
}

template <class T>
void combine(const Columns<T>& q, const T* factors, const Columns<T>& h, std::size_t length) {
    for_tile_pairs(q.count, h.count, [&]<std::size_t Q, std::size_t H>(std::size_t k, std::size_t p) {
        combine_tile<Q, H>(q[k], q.stride, factors + k * h.count + p, h.count, h[p], h.stride, length);
    });
}

// On and above the diagonal, and what of the rest is in the same tiles.
template <class T>
void products(const Columns<T>& h, std::size_t length, double* sums) {
    for_tile_pairs(h.count, h.count, [&]<std::size_t Q, std::size_t H>(std::size_t k, std::size_t p) {
        if (k < p + H)
            project_tile<double, Q, H>(h[k], h.stride, h[p], h.stride, length, sums + k * h.count + p,
                                       h.count);
    });
}

// Columns [first, first + H), which those after it do not need any more.
template <std::size_t H, class T>
inline void transform_tile(const Columns<T>& h, const double* triangle, std::size_t first,
                           std::size_t length) {
    constexpr std::size_t lanes = Native<double>::lanes;
    using Vector = Native<double>::Vector;
    using Rounded __attribute__((vector_size(lanes * sizeof(T)))) = T;
    for (std::size_t at = 0; at < length; at += lanes) {
        Vector sum[H] = {};
        for (std::size_t i = 0; i < first + H; ++i) {
            const Vector value = load_as<double>(h[i] + at);
#pragma GCC unroll 4
            for (std::size_t j = 0; j < H; ++j) sum[j] += triangle[i * h.count + first + j] * value;
        }
        for (std::size_t j = 0; j < H; ++j)
            store(__builtin_convertvector(sum[j], Rounded), h[first + j] + at);
    }
}

template <class T>
void transform(const Columns<T>& h, const double* triangle, std::size_t length) {
    std::size_t left = h.count;
    while (left >= 4) transform_tile<4>(h, triangle, left -= 4, length);
    if (left >= 2) transform_tile<2>(h, triangle, left -= 2, length);
    if (left >= 1) transform_tile<1>(h, triangle, left -= 1, length);
}

template <class T>
constexpr Loops<T> loops() {
    return {project<T>, combine<T>, products<T>, transform<T>};
}

} // namespace

extern const Kernels kernels;
const Kernels kernels = {ETASTAR_ISA_NAME, loops<float>(), loops<double>()};

} // namespace etastar::matrix::ETASTAR_ISA

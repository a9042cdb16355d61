// Compiled once per instruction set, with ETASTAR_ISA naming it. Loops over lanes are written so that the
// compiler vectorises them; only correctly rounded operations are used and contraction is off, so every set
// gives the same bits.
#include "kernels.hpp"

#include <Random123/philox.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include <bit>
#include <cmath>

namespace etastar::random::ETASTAR_ISA {
namespace {

constexpr std::uint32_t lanes = 16;

// The registers of this instruction set as 64-bit lanes, each of which carries one 32-bit word of one block
// in its low half. A Philox round is then two widening multiplications, two shifts and two xors: no lane ever
// crosses another, and what is in the high halves is never read.
#if defined(__AVX512F__)
using Lanes = std::uint64_t __attribute__((vector_size(64)));
inline Lanes multiply_low(Lanes a, Lanes b) {
    return reinterpret_cast<Lanes>(
        _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
#elif defined(__AVX2__)
using Lanes = std::uint64_t __attribute__((vector_size(32)));
inline Lanes multiply_low(Lanes a, Lanes b) {
    return reinterpret_cast<Lanes>(
        _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
#elif defined(__SSE2__)
using Lanes = std::uint64_t __attribute__((vector_size(16)));
inline Lanes multiply_low(Lanes a, Lanes b) {
    return reinterpret_cast<Lanes>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
#else
using Lanes = std::uint64_t __attribute__((vector_size(16)));
inline Lanes multiply_low(Lanes a, Lanes b) { return (a & 0xffffffffu) * (b & 0xffffffffu); }
#endif
constexpr std::uint32_t group = sizeof(Lanes) / sizeof(std::uint64_t);
using Words = std::uint32_t __attribute__((vector_size(sizeof(Lanes) / 2)));

// Chunk `index` of the stream: word w of block b at out[16 w + b].
inline void philox4x32_10(std::uint64_t index, const std::uint32_t prefix[2], const std::uint32_t key[2],
                          std::uint32_t* out) {
    Lanes lane;
    for (std::uint32_t i = 0; i < group; ++i) lane[i] = i;
    for (std::uint32_t first = 0; first < lanes; first += group) {
        Lanes c0 = lane + (index * lanes + first);
        Lanes c1 = c0 >> 32;
        Lanes c2 = Lanes{} + prefix[0];
        Lanes c3 = Lanes{} + prefix[1];
        std::uint32_t k0 = key[0];
        std::uint32_t k1 = key[1];
#pragma GCC unroll 10
        for (int round = 0; round < 10; ++round) {
            const Lanes p0 = multiply_low(c0, Lanes{} + PHILOX_M4x32_0);
            const Lanes p1 = multiply_low(c2, Lanes{} + PHILOX_M4x32_1);
            c0 = (p1 >> 32) ^ c1 ^ k0;
            c1 = p1;
            c2 = (p0 >> 32) ^ c3 ^ k1;
            c3 = p0;
            k0 += PHILOX_W32_0;
            k1 += PHILOX_W32_1;
        }
        const Lanes words[4] = {c0, c1, c2, c3};
        for (int w = 0; w < 4; ++w) {
            const Words narrow = __builtin_convertvector(words[w], Words);
            __builtin_memcpy(out + lanes * w + first, &narrow, sizeof(narrow));
        }
    }
}

// sqrt(-2 ln u), u = (word/2 + 1/2) 2^-31 in (0, 1]. Logarithm: Cephes logf on a mantissa in [sqrt(1/2),
// sqrt(2)).
inline float box_muller_radius(std::uint32_t word) {
    const float u = (static_cast<float>(static_cast<std::int32_t>(word >> 1)) + 0.5f) * 0x1p-31f;
    constexpr std::uint32_t sqrt_half = 0x3f3504f3u;
    const std::uint32_t shifted = std::bit_cast<std::uint32_t>(u) - sqrt_half;
    const auto exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
    const float f = std::bit_cast<float>((shifted & 0x007fffffu) + sqrt_half) - 1.0f;
    const float f2 = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    // ln 2 in two parts: 0.693359375 is exact in a few bits, the rest is a correction.
    const float tail = f * f2 * p - 2.12194440e-4f * exponent - 0.5f * f2;
    const float log_u = (f + tail) + 0.693359375f * exponent;
    return std::sqrt(-2.0f * log_u);
}

struct SinCos {
    float sine, cosine;
};

// Sine and cosine of 2 pi word / 2^32: quadrant from the top bits, Cephes polynomials on the rest in [-pi/4,
// pi/4).
inline SinCos box_muller_angle(std::uint32_t word) {
    const std::uint32_t quadrant = (word + 0x20000000u) >> 30;
    const auto remainder = static_cast<std::int32_t>(word - (quadrant << 30));
    const float x = static_cast<float>(remainder) * 1.46291807926715968e-9f; // 2 pi / 2^32
    const float x2 = x * x;
    const float s = ((-1.9515295891e-4f * x2 + 8.3321608736e-3f) * x2 - 1.6666654611e-1f) * x2 * x + x;
    const float c =
        ((2.443315711809948e-5f * x2 - 1.388731625493765e-3f) * x2 + 4.166664568298827e-2f) * x2 * x2
        - 0.5f * x2 + 1.0f;
    const bool swapped = (quadrant & 1u) != 0;
    const float sine = swapped ? c : s;
    const float cosine = swapped ? s : c;
    const std::uint32_t sine_sign = (quadrant & 2u) << 30;
    const std::uint32_t cosine_sign = ((quadrant + 1u) & 2u) << 30;
    return {std::bit_cast<float>(std::bit_cast<std::uint32_t>(sine) ^ sine_sign),
            std::bit_cast<float>(std::bit_cast<std::uint32_t>(cosine) ^ cosine_sign)};
}

void words(const std::uint32_t key[2], const std::uint32_t prefix[2], std::uint64_t first, std::size_t count,
           std::uint32_t* out) {
    for (std::size_t chunk = 0; chunk < count; ++chunk, out += 4 * lanes)
        philox4x32_10(first + chunk, prefix, key, out);
}

void normals(const std::uint32_t key[2], const std::uint32_t prefix[2], std::uint64_t first,
             std::size_t count, float scale, float* __restrict out) {
    for (std::size_t chunk = 0; chunk < count; ++chunk, out += 4 * lanes) {
        alignas(64) std::uint32_t w[4 * lanes];
        philox4x32_10(first + chunk, prefix, key, w);
#pragma GCC ivdep
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
            const float r0 = box_muller_radius(w[lane]) * scale;
            const float r1 = box_muller_radius(w[2 * lanes + lane]) * scale;
            const SinCos a0 = box_muller_angle(w[lanes + lane]);
            const SinCos a1 = box_muller_angle(w[3 * lanes + lane]);
            out[lane] = r0 * a0.cosine;
            out[lanes + lane] = r0 * a0.sine;
            out[2 * lanes + lane] = r1 * a1.cosine;
            out[3 * lanes + lane] = r1 * a1.sine;
        }
    }
}

} // namespace

extern const Kernels kernels;
const Kernels kernels = {ETASTAR_ISA_NAME, words, normals};

} // namespace etastar::random::ETASTAR_ISA

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// The vector kernels behind stream.hpp and normal.hpp, compiled once per instruction set from kernels.cpp.
namespace etastar::random {

struct Kernels {
    const char* isa;
    // Chunks [first, first + count) of the stream (key, prefix) as raw words, or as N(0, scale^2) variates.
    void (*words)(const std::uint32_t key[2], const std::uint32_t prefix[2], std::uint64_t first,
                  std::size_t count, std::uint32_t* out);
    void (*normals)(const std::uint32_t key[2], const std::uint32_t prefix[2], std::uint64_t first,
                    std::size_t count, float scale, float* out);
};

// Every kernel set this processor can run, narrowest first, and the widest. All give the same bits.
std::span<const Kernels* const> supported_kernels();
const Kernels& widest_kernels();

} // namespace etastar::random

#pragma once

// Chooses among copies of kernels that were compiled once per instruction set (etastar_vector_kernels in
// CMake).
namespace etastar {

enum class Isa { baseline, avx2, avx512 };

// The widest instruction set of this processor that kernels were compiled for.
inline Isa widest_isa() {
#ifdef ETASTAR_X86_KERNELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return Isa::avx2;
#endif
    return Isa::baseline;
}

} // namespace etastar

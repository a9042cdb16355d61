#pragma once

#include <vector>

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

// The copies of some kernels that this processor can run, narrowest first.
template <class Kernels>
std::vector<const Kernels*> supported_copies(const Kernels* baseline, const Kernels* avx2,
                                             const Kernels* avx512) {
    std::vector<const Kernels*> list{baseline};
    if (widest_isa() >= Isa::avx2) list.push_back(avx2);
    if (widest_isa() >= Isa::avx512) list.push_back(avx512);
    return list;
}

} // namespace etastar

// Address of a copy that there is on x86 only.
#ifdef ETASTAR_X86_KERNELS
#define ETASTAR_X86_COPY(kernels) (&(kernels))
#else
#define ETASTAR_X86_COPY(kernels) nullptr
#endif

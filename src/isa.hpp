#pragma once

#include "etastar/isa.hpp"

#include <vector>

// Chooses among copies of kernels that were compiled once per instruction set (etastar_vector_kernels in
// CMake).
namespace etastar {

// The copies of some kernels that may run here, narrowest first.
template <class Kernels>
std::vector<const Kernels*> supported_copies(const Kernels* baseline, const Kernels* avx2,
                                             const Kernels* avx512) {
    std::vector<const Kernels*> list{baseline};
    if (allowed_isa() >= Isa::avx2) list.push_back(avx2);
    if (allowed_isa() >= Isa::avx512) list.push_back(avx512);
    return list;
}

} // namespace etastar

// Address of a copy that there is on x86 only.
#ifdef ETASTAR_X86_KERNELS
#define ETASTAR_X86_COPY(kernels) (&(kernels))
#else
#define ETASTAR_X86_COPY(kernels) nullptr
#endif

#pragma once

#include "etastar/isa.hpp"

#include <span>
#include <vector>

// Chooses among copies of kernels that were compiled once per instruction set (etastar_vector_kernels in
// CMake), each as `kernels` in the namespace of its set.
namespace etastar {

// Those that may run here, narrowest first.
template <class Kernels>
std::vector<const Kernels*> supported_copies(const Kernels* baseline, const Kernels* avx2,
                                             const Kernels* avx512) {
    std::vector<const Kernels*> list{baseline};
    if (allowed_isa() >= Isa::avx2) list.push_back(avx2);
    if (allowed_isa() >= Isa::avx512) list.push_back(avx512);
    return list;
}

} // namespace etastar

// Within a namespace: function `copies` that lists the supported copies of its Kernels, and `widest` for the last of
// them. Wider copies than the baseline are there on x86 only.
#ifdef ETASTAR_X86_KERNELS
#define ETASTAR_X86_COPY(isa) (&isa::kernels)
#else
#define ETASTAR_X86_COPY(isa) nullptr
#endif
#define ETASTAR_KERNEL_COPIES(Kernels, copies, widest)                                                       \
    namespace baseline {                                                                                     \
    extern const Kernels kernels;                                                                            \
    }                                                                                                        \
    namespace avx2 {                                                                                         \
    extern const Kernels kernels;                                                                            \
    }                                                                                                        \
    namespace avx512 {                                                                                       \
    extern const Kernels kernels;                                                                            \
    }                                                                                                        \
    std::span<const Kernels* const> copies() {                                                               \
        static const auto list =                                                                             \
            supported_copies<Kernels>(&baseline::kernels, ETASTAR_X86_COPY(avx2), ETASTAR_X86_COPY(avx512)); \
        return list;                                                                                         \
    }                                                                                                        \
    const Kernels& widest() {                                                                                \
        static const Kernels& kernels = *copies().back();                                                    \
        return kernels;                                                                                      \
    }

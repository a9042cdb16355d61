#include "../isa.hpp"
#include "implicit_kernels.hpp"

namespace etastar::engine {

namespace baseline {
extern const ImplicitKernels kernels;
}
#ifdef ETASTAR_X86_KERNELS
namespace avx2 {
extern const ImplicitKernels kernels;
}
namespace avx512 {
extern const ImplicitKernels kernels;
}
#endif

std::span<const ImplicitKernels* const> supported_implicit_kernels() {
    static const std::vector<const ImplicitKernels*> supported = [] {
        std::vector<const ImplicitKernels*> list{&baseline::kernels};
#ifdef ETASTAR_X86_KERNELS
        if (widest_isa() >= Isa::avx2) list.push_back(&avx2::kernels);
        if (widest_isa() >= Isa::avx512) list.push_back(&avx512::kernels);
#endif
        return list;
    }();
    return supported;
}

const ImplicitKernels& implicit_kernels() {
    static const ImplicitKernels& widest = *supported_implicit_kernels().back();
    return widest;
}

} // namespace etastar::engine

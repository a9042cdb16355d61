#include "../isa.hpp"
#include "implicit_kernels.hpp"

namespace etastar::engine {

namespace baseline {
extern const ImplicitKernels kernels;
}
namespace avx2 {
extern const ImplicitKernels kernels;
}
namespace avx512 {
extern const ImplicitKernels kernels;
}

std::span<const ImplicitKernels* const> supported_implicit_kernels() {
    static const auto list = supported_copies<ImplicitKernels>(
        &baseline::kernels, ETASTAR_X86_COPY(avx2::kernels), ETASTAR_X86_COPY(avx512::kernels));
    return list;
}

const ImplicitKernels& implicit_kernels() {
    static const ImplicitKernels& widest = *supported_implicit_kernels().back();
    return widest;
}

} // namespace etastar::engine

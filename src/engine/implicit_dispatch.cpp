#include "../isa.hpp"
#include "implicit_kernels.hpp"

namespace etastar::engine {

ETASTAR_KERNEL_COPIES(ImplicitKernels, supported_implicit_kernels, implicit_kernels)

} // namespace etastar::engine

#include "../isa.hpp"
#include "kernels.hpp"

namespace etastar::matrix {

ETASTAR_KERNEL_COPIES(Kernels, supported_kernels, widest_kernels)

} // namespace etastar::matrix

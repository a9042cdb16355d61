#include "../isa.hpp"
#include "neuron_kernels.hpp"

namespace etastar::engine {

ETASTAR_KERNEL_COPIES(KernelSet, supported_kernel_sets, kernel_set)

} // namespace etastar::engine

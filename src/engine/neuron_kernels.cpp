// Compiled once per instruction set, with ETASTAR_ISA naming it.
#include "neuron_loops.hpp"

namespace etastar::engine::ETASTAR_ISA {
namespace {

template <class... Each>
constexpr KernelSet make_kernels(model::List<Each...>) {
    return {ETASTAR_ISA_NAME,
            sum_kernels<float>(),
            sum_kernels<double>(),
            {activation_kernels<float, Each>()...},
            {activation_kernels<double, Each>()...}};
}

} // namespace

extern const KernelSet kernels;
const KernelSet kernels = make_kernels(model::Activations{});

} // namespace etastar::engine::ETASTAR_ISA

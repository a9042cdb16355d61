#include "blas_choice.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace etastar::engine {
namespace {

using enum KernelClass;

constexpr std::pair<std::string_view, KernelClass> core_types[] = {
    {"Prescott", sse3},         {"Core2", sse4},     {"Penryn", sse4},     {"Dunnington", sse4},
    {"Nehalem", sse4},          {"Atom", sse4},      {"Nano", sse4},       {"Opteron", sse4},
    {"Opteron_SSE3", sse4},     {"Barcelona", sse4}, {"Bobcat", sse4},     {"Sandybridge", avx},
    {"Bulldozer", avx},         {"Piledriver", avx}, {"Steamroller", avx}, {"Excavator", avx2},
    {"Haswell", avx2},          {"Zen", avx2},       {"SkylakeX", avx512}, {"Cooperlake", avx512},
    {"SapphireRapids", avx512},
};

// In every OpenBLAS that chooses its kernels at run time, executable by any processor of the class, and as fast in the
// dense engine as the fastest of the class (docs/performance.md).
std::string_view core_of(KernelClass kernels) {
    switch (kernels) {
    case sse3:
        return "Prescott";
    case sse4:
        return "Nehalem";
    case avx:
        return "Sandybridge";
    case avx2:
        return "Haswell";
    case avx512:
        return "SkylakeX";
    }
    return {};
}

} // namespace

std::optional<KernelClass> widest_kernels([[maybe_unused]] Isa limit) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (limit == Isa::avx512 && processor_isa() >= Isa::avx512) return avx512;
    if (limit >= Isa::avx2 && processor_isa() >= Isa::avx2) return avx2;
    // Of the instruction sets that our own kernels are compiled for, the narrowest is SSE2.
    if (limit >= Isa::avx2 && __builtin_cpu_supports("avx")) return avx;
    return __builtin_cpu_supports("sse4.2") ? sse4 : sse3;
#else
    return std::nullopt;
#endif
}

std::optional<KernelClass> kernel_class(std::string_view core) {
    const auto* found = std::find_if(std::begin(core_types), std::end(core_types),
                                     [&](const auto& type) { return type.first == core; });
    if (found == std::end(core_types)) return std::nullopt;
    return found->second;
}

std::optional<std::string_view> better_core(std::string_view chosen, KernelClass widest, bool asked) {
    const auto own = kernel_class(chosen);
    if (!own) return asked ? std::optional(core_of(widest)) : std::nullopt;
    if (*own == widest) return std::nullopt;
    // Among those without AVX, Prescott alone is chosen for want of anything better.
    if (*own == sse4 && widest == sse3) return std::nullopt;
    return core_of(widest);
}

} // namespace etastar::engine

#include "etastar/isa.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace etastar {

Isa processor_isa() {
#ifdef ETASTAR_X86_KERNELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl"))
        return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return Isa::avx2;
#endif
    return Isa::baseline;
}

Isa isa_limit() {
    const char* setting = std::getenv("ETASTAR_ISA");
    const std::string limit = setting == nullptr ? "" : setting;
    if (limit == "baseline") return Isa::baseline;
    if (limit == "avx2") return Isa::avx2;
    if (limit.empty() || limit == "avx512") return Isa::avx512;
    throw UsageError(
        fmt::format("ETASTAR_ISA: '{:.40}' is not an instruction set: baseline, avx2 or avx512", limit));
}

Isa allowed_isa() { return std::min(processor_isa(), isa_limit()); }

} // namespace etastar

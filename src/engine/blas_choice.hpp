#pragma once

#include "etastar/isa.hpp"

#include <optional>
#include <string_view>

namespace etastar::engine {

// Instruction sets that kernels of OpenBLAS are written for, narrowest first.
enum class KernelClass { sse3, sse4, avx, avx2, avx512 };

// The widest class that this processor executes, none wider than the limit. Nothing where there is only one.
std::optional<KernelClass> widest_kernels(Isa limit);

// Class of the kernels of a core type, as OpenBLAS names it; nothing for a name that is not known here.
std::optional<KernelClass> kernel_class(std::string_view core);

// The core type to ask for instead of the one that OpenBLAS has chosen itself; nothing if that one is to stay: it is of
// the class, or a newer type than is known here and no limit was `asked` for.
std::optional<std::string_view> better_core(std::string_view chosen, KernelClass widest, bool asked);

} // namespace etastar::engine

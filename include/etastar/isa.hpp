#pragma once

namespace etastar {

// Instruction sets that kernels are chosen for, narrowest first.
enum class Isa { baseline, avx2, avx512 };

// The widest that this processor executes and its system supports; of other makes than x86-64: baseline.
Isa processor_isa();

// The widest that the environment variable ETASTAR_ISA (baseline, avx2 or avx512) allows: all, where it is not set.
// UsageError for another value.
Isa isa_limit();

// The narrower of the two.
Isa allowed_isa();

} // namespace etastar

#include "etastar/engine/blas.hpp"

#include "catch.hpp"
#include "engine/blas_choice.hpp"

using namespace etastar;
using engine::better_core;
using engine::kernel_class;
using engine::KernelClass;

TEST_CASE("OpenBLAS's own choice stays where it is of the processor's class", "[blas]") {
    for (const bool asked : {false, true}) {
        CHECK_FALSE(better_core("Cooperlake", KernelClass::avx512, asked));
        CHECK_FALSE(better_core("Zen", KernelClass::avx2, asked));
        CHECK_FALSE(better_core("Excavator", KernelClass::avx2, asked));
        CHECK_FALSE(better_core("Piledriver", KernelClass::avx, asked));
        CHECK_FALSE(better_core("Barcelona", KernelClass::sse4, asked));
        CHECK_FALSE(better_core("Core2", KernelClass::sse3, asked));
        CHECK_FALSE(better_core("Prescott", KernelClass::sse3, asked));
    }
}

TEST_CASE("Kernels below the processor's class are replaced", "[blas]") {
    CHECK(better_core("Prescott", KernelClass::avx512, false) == "SkylakeX");
    CHECK(better_core("Haswell", KernelClass::avx512, false) == "SkylakeX");
    CHECK(better_core("Prescott", KernelClass::avx2, false) == "Haswell");
    CHECK(better_core("Barcelona", KernelClass::avx2, false) == "Haswell");
    CHECK(better_core("Prescott", KernelClass::avx, false) == "Sandybridge");
    CHECK(better_core("Prescott", KernelClass::sse4, false) == "Nehalem");
}

TEST_CASE("Kernels beyond what the processor has or may use are replaced", "[blas]") {
    CHECK(better_core("Zen", KernelClass::avx, false) == "Sandybridge");
    CHECK(better_core("SkylakeX", KernelClass::avx2, true) == "Haswell");
    CHECK(better_core("SkylakeX", KernelClass::sse4, true) == "Nehalem");
}

TEST_CASE("A core type of a newer OpenBLAS stays unless a limit is asked for", "[blas]") {
    CHECK_FALSE(kernel_class("Future"));
    CHECK_FALSE(better_core("Future", KernelClass::avx512, false));
    CHECK(better_core("Future", KernelClass::avx2, true) == "Haswell");
}

TEST_CASE("The kernels that run are of this processor's class", "[blas]") {
    const auto widest = engine::widest_kernels(isa_limit());
    if (!widest || engine::blas_core_chosen_by() == "environment") return;
    CHECK_FALSE(better_core(engine::blas_core(), *widest, false));
}

#pragma once

#include <cblas.h>

#include <string>

namespace etastar::engine {

// OpenBLAS, which chooses its kernels and starts its threads as soon as it is loaded, as the environment then says.
// So it is loaded by the program, with an environment that the program has seen to: at first use, and not at all by
// commands that compute nothing. Linked, it would be there before any code of an executable runs; the environment
// could only be set by starting the executable a second time.
struct BlasLibrary {
    decltype(&cblas_sgemv) sgemv;
    decltype(&cblas_dgemv) dgemv;
    decltype(&cblas_sgemm) sgemm;
    decltype(&cblas_dgemm) dgemm;
    decltype(&openblas_set_num_threads) set_num_threads;
    decltype(&openblas_get_config) config;
    decltype(&openblas_get_corename) core;
    std::string core_chosen_by;
};

// The one of this process. Loading sets environment variables: the first call belongs into the main thread, before
// there are others. std::runtime_error if it cannot be loaded, std::bad_alloc without 384 MiB of free addresses.
const BlasLibrary& blas_library();

} // namespace etastar::engine

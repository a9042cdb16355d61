#pragma once

#include <string>

namespace etastar::engine {

// One thread for the products of the calling thread, whatever the environment says: ranks are the parallelism,
// and the bits of a product depend on the number of threads. To be called where the products are computed: an
// OpenBLAS with OpenMP keeps the number by calling thread.
void use_one_blas_thread();

// Name and build of the BLAS, and the processor type whose kernels it runs; results are reproducible for
// equal ones.
std::string blas_version();
std::string blas_core();

} // namespace etastar::engine

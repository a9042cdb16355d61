#pragma once

#include <cstddef>
#include <string>

namespace etastar::engine {

// Loads the BLAS with kernels for this processor, unless it is loaded already. It sets environment variables: to be
// called before other threads start. std::runtime_error if there is no BLAS, UsageError for a bad ETASTAR_ISA,
// std::bad_alloc without 384 MiB of free addresses. The others load it, too.
//
// threads: that will compute products. Returns how many products it computes at a time, which are fewer with a BLAS that is
// built without threads, or where there is no room for a buffer for each: then the threads take turns.
std::size_t load_blas(std::size_t threads = 1);

// One thread for the products of the calling thread, whatever the environment says: ranks are the parallelism,
// and the bits of a product depend on the number of threads. To be called where the products are computed: an
// OpenBLAS with OpenMP keeps the number by calling thread.
void use_one_blas_thread();

// Name and build of the BLAS, and the processor type whose kernels it runs; results are reproducible for
// equal ones.
std::string blas_version();
std::string blas_core();

// Who chose the type: "openblas"; "etastar", where OpenBLAS's choice was below the processor's instruction set or beyond
// what the processor or ETASTAR_ISA allows; or "environment" (OPENBLAS_CORETYPE).
std::string blas_core_chosen_by();

} // namespace etastar::engine

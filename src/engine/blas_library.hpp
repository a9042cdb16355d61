#pragma once

// MKL has its own name for it.
#if __has_include(<cblas.h>)
#include <cblas.h>
#else
#include <mkl_cblas.h>
#endif

#include <functional>
#include <string>
#include <type_traits>

namespace etastar::engine {

// The library's type of a size: 32 bits, or 64 of an ILP64 build.
template <class Order, class Transpose, class Size, class... Rest>
std::remove_const_t<Size> size_of_gemv(void (*)(Order, Transpose, Size, Rest...));
using BlasInt = decltype(size_of_gemv(&cblas_sgemv));

// The BLAS, any with CBLAS. Most choose their kernels and start their threads as soon as they are loaded, as the environment
// then says. So a shared one is loaded by the program, with an environment that the program has seen to: at first use, and not
// at all by commands that compute nothing. Linked, it would be there before any code of an executable runs; the environment
// could only be set by starting the executable a second time.
struct BlasLibrary {
    decltype(&cblas_sgemv) sgemv;
    decltype(&cblas_dgemv) dgemv;
    decltype(&cblas_sgemm) sgemm;
    decltype(&cblas_dgemm) dgemm;
    std::function<void(int)> set_num_threads; // empty where the library has none
    std::string version;
    std::string core;
    std::string core_chosen_by;
};

// The one of this process. Loading sets environment variables: the first call belongs into the main thread, before
// there are others. std::runtime_error if it cannot be loaded, std::bad_alloc without 384 MiB of free addresses.
const BlasLibrary& blas_library();

} // namespace etastar::engine

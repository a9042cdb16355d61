#include "blas_library.hpp"

#include "etastar/isa.hpp"

#include "blas_choice.hpp"

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string_view>
#include <vector>

#ifndef ETASTAR_BLAS_LINKED
#include <dlfcn.h>
#endif

namespace etastar::engine {
namespace {

#ifdef ETASTAR_BLAS_LINKED

// A static OpenBLAS has made its choice before main().
BlasLibrary load() {
    return {cblas_sgemv,
            cblas_dgemv,
            cblas_sgemm,
            cblas_dgemm,
            openblas_set_num_threads,
            openblas_get_config,
            openblas_get_corename,
            std::getenv("OPENBLAS_CORETYPE") != nullptr ? "environment" : "openblas"};
}

#else

void* open_library() {
    constexpr const char* names[] = {ETASTAR_BLAS_NAMES};
    std::string errors;
    for (const auto* name : names) {
        if (void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
        errors += (errors.empty() ? "" : "; ") + std::string(::dlerror());
    }
    throw std::runtime_error("OpenBLAS cannot be loaded: " + errors);
}

template <class Function>
void find(void* library, const char* name, Function*& function) {
    void* symbol = ::dlsym(library, name);
    if (symbol == nullptr) throw std::runtime_error("OpenBLAS has no " + std::string(name));
    function = reinterpret_cast<Function*>(symbol);
}

std::string core_name(void* library) {
    decltype(&openblas_get_corename) core = nullptr;
    find(library, "openblas_get_corename", core);
    return core();
}

// The library with the kernels of a core type instead of those that it has now. Some that were loaded stay: with the
// kernels that they have.
void* load_again(void* library, std::string_view core) {
    ::setenv("OPENBLAS_CORETYPE", std::string(core).c_str(), 1);
    ::dlclose(library);
    return open_library();
}

bool is_set(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

BlasLibrary load() {
    // Threads are of no use to a rank, and where memory or processes are limited OpenBLAS may wait for ever for those
    // that it could not start.
    ::setenv("OPENBLAS_NUM_THREADS", "1", 1);
    const bool by_user = is_set("OPENBLAS_CORETYPE");
    if (!by_user) ::unsetenv("OPENBLAS_CORETYPE"); // an empty one means Prescott to it

    // OpenBLAS is asked first, since it knows most processors, and newer versions know more. It falls back to its oldest
    // kernels on those that it does not know, and to wide ones that cannot run on some whose AVX2 is masked.
    void* library = open_library();
    std::string by = by_user ? "environment" : "openblas";
    const bool asked = is_set("ETASTAR_ISA");
    if (const auto widest = widest_kernels(isa_limit()); widest && !by_user)
        if (const auto core = better_core(core_name(library), *widest, asked)) {
            library = load_again(library, *core);
            if (core_name(library) == *core) by = "etastar";
        }

    BlasLibrary blas{};
    find(library, "cblas_sgemv", blas.sgemv);
    find(library, "cblas_dgemv", blas.dgemv);
    find(library, "cblas_sgemm", blas.sgemm);
    find(library, "cblas_dgemm", blas.dgemm);
    find(library, "openblas_set_num_threads", blas.set_num_threads);
    find(library, "openblas_get_config", blas.config);
    find(library, "openblas_get_corename", blas.core);
    blas.core_chosen_by = by;
    return blas;
}

#endif

// OpenBLAS tries for ever to map a buffer that there is no room for. So there must be room for the library and two
// buffers before it is loaded (with OpenMP it maps one at once), and a first product makes it map what it will need,
// which it keeps.
BlasLibrary load_with_buffers() {
    constexpr std::size_t buffer = std::size_t{32} << 22; // BUFFER_SIZE on x86-64, its largest
    void* room = ::mmap(nullptr, 3 * buffer, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) throw std::bad_alloc();
    ::munmap(room, 3 * buffer);
    auto blas = load();
    blas.set_num_threads(1);
    constexpr blasint n = 128; // smaller products may do without a buffer
    const std::vector<float> factor(std::size_t{n} * n);
    std::vector<float> product(std::size_t{n} * n);
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, factor.data(), n, factor.data(), n,
               0.0f, product.data(), n);
    return blas;
}

} // namespace

const BlasLibrary& blas_library() {
    static const BlasLibrary library = load_with_buffers();
    return library;
}

} // namespace etastar::engine

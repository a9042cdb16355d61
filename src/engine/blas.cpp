#include "etastar/engine/blas.hpp"

#include "blas_library.hpp"

namespace etastar::engine {

void load_blas() { blas_library(); }

void use_one_blas_thread() {
    if (const auto& set = blas_library().set_num_threads) set(1);
}

std::string blas_version() { return blas_library().version; }

std::string blas_core() { return blas_library().core; }

std::string blas_core_chosen_by() { return blas_library().core_chosen_by; }

} // namespace etastar::engine

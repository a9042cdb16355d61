#include "etastar/engine/blas.hpp"

#include "blas_library.hpp"
#include "blas_turns.hpp"

#include <mutex>

namespace etastar::engine {

std::size_t load_blas(std::size_t threads) {
    blas_library();
    return prepare_turns(threads);
}

void use_one_blas_thread() {
    static std::mutex mutex; // it may change what all threads share
    const std::lock_guard lock(mutex);
    if (const auto& set = blas_library().set_num_threads) set(1);
}

std::string blas_version() { return blas_library().version; }

std::string blas_core() { return blas_library().core; }

std::string blas_core_chosen_by() { return blas_library().core_chosen_by; }

} // namespace etastar::engine

#include "etastar/engine/blas.hpp"

#include <cblas.h>

namespace etastar::engine {

void use_one_blas_thread() { openblas_set_num_threads(1); }

std::string blas_version() { return openblas_get_config(); }

std::string blas_core() { return openblas_get_corename(); }

} // namespace etastar::engine

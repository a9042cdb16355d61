#ifndef ETASTAR_CATCH_V3
#define CATCH_CONFIG_RUNNER
#endif
#include "etastar/engine/blas.hpp"

#include "catch.hpp"

int main(int argc, char** argv) {
    etastar::engine::use_one_blas_thread();
    return Catch::Session().run(argc, argv);
}

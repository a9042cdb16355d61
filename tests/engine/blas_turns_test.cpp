#include "etastar/engine/blas.hpp"

#include "catch.hpp"
#include "engine/blas_turns.hpp"

#include <algorithm>
#include <limits>

using namespace etastar;
using engine::products_at_a_time;

TEST_CASE("How many products at a time a BLAS bears, by its own name", "[blas]") {
    CHECK(products_at_a_time("OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Cooperlake SINGLE_THREADED")
          == 1);
    CHECK(products_at_a_time("FlexiBLAS 3.2.1, OPENBLAS-SERIAL") == 1);
    CHECK(products_at_a_time("OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP Haswell MAX_THREADS=64") == 126);
    CHECK(products_at_a_time("OpenBLAS 0.3.29 NO_AFFINITY Haswell MAX_THREADS=4") == 48);
    CHECK(products_at_a_time("BLIS 0.9.0") == std::numeric_limits<std::size_t>::max());
}

TEST_CASE("The BLAS is prepared for as many products as it bears, and no fewer than one", "[blas]") {
    for (const std::size_t threads : {1, 2, 4})
        CHECK(engine::load_blas(threads) <= std::min(threads, products_at_a_time(engine::blas_version())));
    CHECK(engine::load_blas(1000000) >= 1);
    CHECK(engine::load_blas() == 1);
}

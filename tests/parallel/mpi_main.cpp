#ifndef ETASTAR_CATCH_V3
#define CATCH_CONFIG_RUNNER
#endif
#include "etastar/parallel/mpi.hpp"

#include "catch.hpp"
#include "world.hpp"

#include <iostream>
#include <sstream>

namespace etastar::test {
parallel::Communicator& world() {
    static parallel::Communicator communicator;
    return communicator;
}
} // namespace etastar::test

// Every rank runs every test; rank 0 alone speaks, unless another rank fails.
int main(int argc, char** argv) {
    etastar::parallel::MpiSession mpi;
    etastar::test::world() = mpi.world();
    std::ostringstream muffled;
    auto* const terminal = std::cout.rdbuf();
    if (mpi.world().rank() != 0) std::cout.rdbuf(muffled.rdbuf());
    const int failures = Catch::Session().run(argc, argv);
    std::cout.rdbuf(terminal);
    if (mpi.world().rank() != 0 && failures != 0)
        std::cout << "rank " << mpi.world().rank() << ":\n" << muffled.str();
    etastar::test::world() = etastar::parallel::Communicator();
    return failures;
}

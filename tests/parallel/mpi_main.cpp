#include "etastar/parallel/mpi.hpp"

#include "session.hpp"
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
    const int failures = etastar::test::run_tests(argc, argv);
    std::cout.rdbuf(terminal);
    if (mpi.world().rank() != 0 && failures != 0)
        std::cout << "rank " << mpi.world().rank() << ":\n" << muffled.str();
    etastar::test::world() = etastar::parallel::Communicator();
    return failures;
}

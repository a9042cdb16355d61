// Not a trial but the engine itself fails, on the last rank, while the others work: the job must end with one
// line and without a hang (the test's timeout tells).
#include "etastar/parallel/mpi.hpp"
#include "etastar/parallel/runner.hpp"

#include "support.hpp"

#include <fmt/format.h>

#include <numeric>
#include <stdexcept>

using namespace etastar;

namespace {

struct Ignore final : parallel::Collector {
    void collect(parallel::NetworkResult&&) override {}
};

} // namespace

int main() {
    parallel::MpiSession mpi;
    auto world = mpi.world();
    auto spec = test::small_spec();
    spec.seeds = 100000;
    const parallel::EngineFactory factory = [&] {
        if (world.rank() == world.size() - 1)
            throw std::runtime_error(fmt::format("planted error on rank {}", world.rank()));
        return engine::make_engine(spec);
    };
    return static_cast<int>(parallel::run_guarded(world, [&] {
        if (world.rank() == 0) {
            std::vector<std::uint64_t> networks(spec.networks());
            std::iota(networks.begin(), networks.end(), std::uint64_t{0});
            Ignore ignore;
            parallel::run_networks(world, spec, networks, std::vector<double>(networks.size(), 1e-3), factory,
                                   ignore);
        } else {
            parallel::serve_networks(world, spec, factory);
        }
        return ExitCode::done;
    }));
}

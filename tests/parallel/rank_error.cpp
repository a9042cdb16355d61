// Not a trial but what runs trials fails, on the last rank, while the others work: the job must end with one
// line and without a hang (the test's timeout tells).
#include "etastar/parallel/mpi.hpp"
#include "etastar/parallel/runner.hpp"

#include "support.hpp"

#include <fmt/format.h>

#include <stdexcept>

using namespace etastar;

namespace {

struct Ignore final : parallel::Collector {
    void collect(std::vector<parallel::NetworkResult>&&) override {}
};

} // namespace

int main() {
    parallel::MpiSession mpi;
    auto world = mpi.world();
    auto spec = test::small_spec();
    spec.seeds = 100000;
    const plan::Plan plan(spec);
    const auto& kind = trial::find_kind(spec.trial);
    auto job = parallel::Job::of(kind, plan, engine::default_weight_budget);
    job.make_worker = [&, make_worker = job.make_worker] {
        if (world.rank() == world.size() - 1)
            throw std::runtime_error(fmt::format("planted error on rank {}", world.rank()));
        return make_worker();
    };
    return static_cast<int>(parallel::run_guarded(world, [&] {
        if (world.rank() == 0) {
            std::vector<parallel::Unit> units;
            for (std::uint64_t i = 0; i < spec.networks(); ++i) units.push_back({i, 1e-3});
            Ignore ignore;
            parallel::run_networks(world, std::move(units), job, ignore);
        } else {
            parallel::serve_networks(world, job);
        }
        return ExitCode::done;
    }));
}

#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/error.hpp"
#include "etastar/parallel/communicator.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace etastar::parallel {

// What comes back for one network.
struct NetworkResult {
    std::uint64_t network = 0;         // index in the spec's canonical order
    std::vector<sweep::TrialRow> rows; // one per rate, sealed
    std::vector<double> response;      // G_l, l = 1..depth; empty unless the spec asks for the profile
    std::string error;                 // why the rows failed; empty if they did not
};

using EngineFactory = std::function<std::unique_ptr<engine::Engine>()>;

// Rank 0's side of a sweep: told of results as they arrive, in no particular order, and called at least a few
// times a second in between. Both are called on the main thread.
class Collector {
public:
    virtual ~Collector() = default;
    virtual void collect(NetworkResult&& result) = 0;
    virtual void tick() {}
};

// Runs the networks (indices in the spec's canonical order) on all ranks and returns when every result has
// been collected. Collective; `networks` and `collector` matter on rank 0 alone. Every rank computes, rank 0
// in a second thread while its main thread hands out work.
//
// An exception from an engine becomes the failed rows of its network. Any other exception propagates from the
// rank it happened on while the others go on waiting: call these within run_guarded.
void run_networks(Communicator& communicator, const sweep::Spec& spec,
                  const std::vector<std::uint64_t>& networks, const std::vector<double>& costs,
                  const EngineFactory& make_engine, Collector& collector);
void serve_networks(Communicator& communicator, const sweep::Spec& spec, const EngineFactory& make_engine);

// Runs the part of a job in which ranks wait for one another. An exception on any rank is told in one line on
// standard error, with the rank and its host, and ends every rank at once with exit code 3 (FileError) or 1.
// In a single process it propagates.
ExitCode run_guarded(Communicator& communicator, const std::function<ExitCode()>& work);

// Name of this machine.
std::string host_name();

} // namespace etastar::parallel

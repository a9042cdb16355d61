#pragma once

#include "etastar/parallel/communicator.hpp"

namespace etastar::parallel {

// True when a launcher (mpirun, srun, ...) started this process as one of several, as far as its environment
// tells. ETASTAR_MPI, set to anything, says so for a launcher that is not known here.
bool launched_by_mpi();

// MPI from construction to destruction; one per process. While an exception unwinds, the destructor ends the
// job instead of finalising: MPI_Finalize would wait for ranks that wait for this one.
class MpiSession {
public:
    MpiSession();
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    // All ranks.
    Communicator world() const { return world_; }

private:
    Communicator world_;
    int exceptions_at_start_;
};

} // namespace etastar::parallel

#pragma once

#include <cstdint>
#include <string>

namespace etastar::io {

// Where and with what a sweep was run; group /provenance.
struct Provenance {
    std::string version;
    std::string git_revision;
    std::string host;
    std::uint32_t ranks = 1;
    std::uint32_t threads = 1; // of each rank
    std::string mpi;
    std::string blas;
    std::string blas_core; // the dense engine's results are reproducible to the bit for equal ones
    std::string blas_core_chosen_by;
    std::string data_file;   // name of the user's data, as given; empty for none
    std::string shard;       // "3/16"; empty for a whole sweep
    std::string shard_of;    // spec of the whole sweep, JSON
    std::string merged_from; // files that were merged into this one, comma-separated; empty for a sweep
};

std::string hdf5_version();

} // namespace etastar::io

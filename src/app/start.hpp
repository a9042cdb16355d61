#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace etastar::app {

// Where a rank runs.
struct RankPlace {
    std::string host;
    std::string isa; // of its kernels
};

// This rank's place as text, and the places of all ranks from their texts, by rank.
std::string own_place();
std::vector<RankPlace> places_of(const std::vector<std::string>& texts);

// What a sweep tells before it begins.
struct Start {
    std::string file;
    std::uint64_t to_do = 0;   // networks,
    std::uint64_t before = 0;  // those done before,
    std::uint64_t skipped = 0; // and those that a target does not need
    double work = 0;           // expected seconds on one core, of all networks
    double longest = 0;        // and of the longest
    std::vector<RankPlace> places;
    std::size_t threads = 1;       // of each rank, that compute
    std::string why_fewer_threads; // than there are cores; empty where that is not for want of memory
    bool has_target = false;       // that may be reached with fewer networks
    bool launched = false;         // by MPI
    std::string mpi;
    std::string blas;
    std::string blas_core;
    std::optional<double> limit; // seconds
};

// "etastar 1.0.0 (0123abcd): 8 ranks on node1 (5) and node2 (3), avx512 kernels, OpenBLAS 0.3.21 SkylakeX, Open MPI v4.1.4;
// run.h5: 4000 networks to do, 2000 done before; about 12m30s". Of a single process that
// leaves cores idle for want of memory, too.
std::string start_line(const Start& start);

// A line for each host: its ranks and their kernels.
std::vector<std::string> host_lines(const std::vector<RankPlace>& places);

} // namespace etastar::app

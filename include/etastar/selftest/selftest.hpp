#pragma once

#include "etastar/io/sweep_file.hpp"
#include "etastar/parallel/communicator.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace etastar::selftest {

struct Outcome {
    std::size_t checks = 0;
    std::size_t failures = 0;
};

// Checks an installation on all ranks: known answers of the random generator and of theory, the kernels of every instruction
// set, both engines, the BLAS, messages between ranks, and a small sweep into a file of `folder`, which is read back, fitted
// and removed. `provenance` is what that file says of the program. Rank 0 has a line for `print` of every check and knows the
// outcome; `folder`, `provenance` and `print` are its own.
Outcome run(parallel::Communicator& world, const std::filesystem::path& folder, io::Provenance provenance,
            const std::function<void(const std::string& line)>& print);

} // namespace etastar::selftest

#pragma once

#include "etastar/parallel/communicator.hpp"

namespace etastar::test {

// All ranks of the test run.
parallel::Communicator& world();

} // namespace etastar::test

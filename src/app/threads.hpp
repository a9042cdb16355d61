#pragma once

#include "etastar/app/options.hpp"

namespace etastar::app {

// Completes the options' threads and weight budget, which the spec and this machine decide where they are not given. A process
// without a launcher has a thread for each core, or as many as its memory holds the largest networks of; a rank has one.
void settle_threads(SweepOptions& options, bool launched);

} // namespace etastar::app

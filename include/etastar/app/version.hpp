#pragma once

#include <string>

namespace etastar::app {

std::string version();      // of the release, "1.0.0"
std::string git_revision(); // of the checkout it was built from, "unknown" outside one

} // namespace etastar::app

#pragma once

#include <string>

namespace etastar {

// Name of this machine.
std::string host_name();

} // namespace etastar

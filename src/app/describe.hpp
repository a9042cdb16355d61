#pragma once

#include "etastar/app/commands.hpp"

#include "parser.hpp"

namespace etastar::app {

// What the command takes, without running it.
Description describe(const Command& command);

} // namespace etastar::app

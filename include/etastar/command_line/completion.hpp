#pragma once

#include "etastar/command_line/description.hpp"

#include <string>

namespace etastar::command_line {

// Scripts that complete commands, options, their values and files.
std::string bash_completion(const Program& program);
std::string zsh_completion(const Program& program);

} // namespace etastar::command_line

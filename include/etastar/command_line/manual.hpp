#pragma once

#include "etastar/command_line/description.hpp"

#include <string>

namespace etastar::command_line {

// Manual pages in the language of man(7): of the program, and of one of its commands.
std::string manual_page(const Program& program);
std::string manual_page(const Program& program, const Command& command);

// "etastar-fit"
std::string manual_name(const Program& program, const Command& command);

} // namespace etastar::command_line

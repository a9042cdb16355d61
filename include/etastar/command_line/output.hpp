#pragma once

#include <string>

namespace etastar::command_line {

// To standard output. Throws FileError, also where it is a pipe that nobody reads any more.
void print(const std::string& text);

} // namespace etastar::command_line

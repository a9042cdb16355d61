#include "etastar/command_line/output.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace etastar::command_line {

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw FileError(fmt::format("standard output: cannot write it ({})", std::strerror(errno)));
}

} // namespace etastar::command_line

#include "etastar/error.hpp"

#include <algorithm>
#include <cstdio>

namespace etastar {

void print_error(const std::string& message) {
    std::string line = "etastar: " + message;
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

} // namespace etastar

#pragma once

#include <stdexcept>
#include <string>

namespace etastar {

// Exit codes of the program; documented in README.md.
enum class ExitCode : int {
    done = 0,
    internal = 1,
    usage = 2,
    file = 3,
    stopped = 4,
    failed_trials = 5,
};

// An option, axis or configuration file that cannot be used: what, with which value, and what would be right.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A file cannot be created, opened, trusted or written.
struct FileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// "etastar: MESSAGE" as one line on standard error, in one write: lines of several processes do not mix.
void print_error(const std::string& message);

} // namespace etastar

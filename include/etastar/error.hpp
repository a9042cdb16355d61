#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace etastar {

// Exit codes of the program; documented in docs/getting-started.md.
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

// The text on one line of printable UTF-8: newlines become spaces, bytes that are not UTF-8 "\x1b", control characters and
// what is invisible or changes the direction of writing "\x00" and "\u{feff}". Where that exceeds `longest` bytes, the
// middle gives way to "… (N bytes) …", which itself is not counted.
std::string shown(std::string_view text, std::size_t longest);

// A value as a message quotes it: what follows it must not be lost.
std::string in_quotes(std::string_view value);

// "1 network", "2 networks".
std::string counted(std::uint64_t count, std::string_view thing);

// "etastar: MESSAGE\n", of about a thousand bytes at most.
std::string error_line(std::string_view message);

// The message's error_line on standard error, in one write: lines of several processes do not mix.
void print_error(std::string_view message);

} // namespace etastar

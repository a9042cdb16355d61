#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace etastar::selftest {

// What is wrong; no failure of the check itself.
struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Throw Wrong.
void require(bool condition, const std::string& otherwise);
void require_close(double value, double expected, double relative, const std::string& what);

// From exact theory. Fixed seeds: numbers differ by what processors and libraries round, not by chance.
inline constexpr double most_deviations = 4.5;

// What became of a check on one rank.
struct Result {
    bool passed = false;
    std::string text; // a remark, or what is wrong
};

// Of a check that returns its remark, or throws.
Result try_check(const std::function<std::string()>& check);

} // namespace etastar::selftest

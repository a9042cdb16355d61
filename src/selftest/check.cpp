#include "check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <new>

namespace etastar::selftest {

void require(bool condition, const std::string& otherwise) {
    if (!condition) throw Wrong(otherwise);
}

void require_close(double value, double expected, double relative, const std::string& what) {
    require(std::abs(value - expected) <= relative * std::abs(expected),
            fmt::format("{} is {:.12g}, not {:.12g}", what, value, expected));
}

Result try_check(const std::function<std::string()>& check) {
    try {
        return {true, check()};
    } catch (const std::bad_alloc&) {
        return {false, "out of memory"};
    } catch (const std::exception& error) {
        return {false, error.what()};
    }
}

} // namespace etastar::selftest

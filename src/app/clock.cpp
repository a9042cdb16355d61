#include "clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>

namespace etastar::app {
namespace {

std::string in_format(const char* format, const std::tm& time) {
    char text[64] = "";
    return {text, std::strftime(text, sizeof(text), format, &time)};
}

} // namespace

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string local_time(double unix_seconds) {
    const auto seconds = static_cast<std::time_t>(unix_seconds);
    std::tm time = {};
    localtime_r(&seconds, &time);
    // strftime's offset has no colon.
    const auto minutes = time.tm_gmtoff / 60;
    return fmt::format("{}{}{:02}:{:02}", in_format("%Y-%m-%dT%H:%M:%S", time), minutes < 0 ? '-' : '+',
                       std::abs(minutes) / 60, std::abs(minutes) % 60);
}

std::optional<double> read_utc_time(const std::string& text) {
    std::tm time = {};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return static_cast<double>(::timegm(&time));
}

std::string utc_time(double unix_seconds) {
    const auto seconds = static_cast<std::time_t>(unix_seconds);
    std::tm time = {};
    gmtime_r(&seconds, &time);
    return in_format("%Y-%m-%dT%H:%M:%SZ", time);
}

} // namespace etastar::app

#include "etastar/command_line/duration.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>
#include <vector>

namespace etastar::command_line {
namespace {

// Thirty years: clocks count nanoseconds in 63 bits.
constexpr double longest_duration = 1e9;

constexpr std::size_t longest_duration_text = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> read_digits(std::string_view text) {
    double value = 0;
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// 1h30m: each unit once, longest first; numbers may have a decimal point.
std::optional<double> read_units(std::string_view text) {
    constexpr std::pair<std::string_view, double> units[] = {{"d", 86400}, {"h", 3600}, {"min", 60},
                                                             {"m", 60},    {"sec", 1},  {"s", 1}};
    double seconds = 0;
    double last = 2 * longest_duration;
    while (!text.empty()) {
        const auto number = text.substr(0, text.find_first_not_of("0123456789."));
        text.remove_prefix(number.size());
        const auto* unit = std::find_if(std::begin(units), std::end(units),
                                        [&](const auto& each) { return text.starts_with(each.first); });
        if (unit == std::end(units) || unit->second >= last) return std::nullopt;
        double value = 0;
        const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), value);
        if (error != std::errc{} || rest != number.data() + number.size() || !is_digit(number.front()))
            return std::nullopt;
        seconds += value * unit->second;
        last = unit->second;
        text.remove_prefix(unit->first.size());
    }
    return seconds;
}

// M:S, H:M:S, D-H, D-H:M and D-H:M:S. What follows another part is less than one of it.
std::optional<double> read_clock(std::string_view text) {
    struct Place {
        double seconds;
        double below;
    };
    constexpr Place day{86400, longest_duration};
    constexpr Place hour{3600, 24};
    constexpr Place minute{60, 60};
    constexpr Place second{1, 60};
    std::vector<std::string_view> parts;
    const auto dash = text.find('-');
    if (dash != std::string_view::npos) {
        parts.push_back(text.substr(0, dash));
        text.remove_prefix(dash + 1);
    }
    for (auto colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':')) {
        parts.push_back(text.substr(0, colon));
        text.remove_prefix(colon + 1);
    }
    parts.push_back(text);
    std::vector<Place> places{day, hour, minute, second};
    if (dash != std::string_view::npos)
        places.resize(std::min(parts.size(), places.size()));
    else if (parts.size() == 2 || parts.size() == 3)
        places.erase(places.begin(), places.end() - static_cast<std::ptrdiff_t>(parts.size()));
    if (parts.size() < 2 || places.size() != parts.size()
        || (dash == std::string_view::npos && parts.size() > 3))
        return std::nullopt;
    double seconds = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto value = read_digits(parts[i]);
        if (!value || (i > 0 && *value >= places[i].below)) return std::nullopt;
        seconds += *value * places[i].seconds;
    }
    return seconds;
}

} // namespace

std::optional<double> read_duration(std::string_view text) {
    if (text.size() > longest_duration_text) return std::nullopt;
    const bool clock = text.find_first_of(":-") != std::string_view::npos;
    const auto seconds = clock ? read_clock(text) : read_units(text);
    if (!seconds || !(*seconds > 0)) return std::nullopt;
    return std::min(*seconds, longest_duration);
}

double parse_duration(const std::string& option, const std::string& text) {
    if (const auto seconds = read_duration(text)) return *seconds;
    throw UsageError(
        fmt::format("{}: {} is not a duration such as 90s, 45m, 3h50m, 10:00 (minutes:seconds) or 2:00:00",
                    option, in_quotes(text)));
}

} // namespace etastar::command_line

#include "etastar/sweep/list.hpp"

#include "etastar/error.hpp"

#include <boost/algorithm/string.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace etastar::sweep {
namespace {

constexpr std::size_t max_points = 100'000;

template <class T>
std::optional<T> parse_whole(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

[[noreturn]] void refuse(std::string_view option, std::string_view item, std::string_view why) {
    throw UsageError(fmt::format("{}: {} {}", option, in_quotes(item), why));
}

// The digits of an integer that is written with an exponent, as 1e4 or 2.5e3 are, exactly; nothing where it is not whole.
std::optional<std::string> expanded(std::string_view text) {
    const auto is_digits = [](std::string_view part) {
        return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    };
    const auto e = text.find_first_of("eE");
    if (e == std::string_view::npos) return std::nullopt;
    const auto mantissa = text.substr(0, e);
    auto power = text.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    if (!is_digits(power)) return std::nullopt;
    // No integer here has more digits than 2^64.
    constexpr std::size_t most_digits = 20;
    const auto exponent = parse_whole<std::size_t>(power).value_or(most_digits + 1);
    const auto point = std::min(mantissa.find('.'), mantissa.size());
    auto fraction = mantissa.substr(std::min(point + 1, mantissa.size()));
    fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
    if (exponent > most_digits || fraction.size() > exponent || !is_digits(mantissa.substr(0, point))
        || (point < mantissa.size() && point + 1 == mantissa.size())
        || !(fraction.empty() || is_digits(fraction)))
        return std::nullopt;
    return std::string(mantissa.substr(0, point)) + std::string(fraction)
           + std::string(exponent - fraction.size(), '0');
}

// An integer, also as 1e4.
template <class T>
std::optional<T> parse_exact(std::string_view text) {
    const auto digits = expanded(text);
    return parse_whole<T>(digits ? std::string_view(*digits) : text);
}

std::uint32_t parse_size_up_to(std::string_view option, std::string_view text, std::uint32_t most) {
    const auto value = parse_exact<std::uint32_t>(text);
    if (!value || *value == 0 || *value > most)
        refuse(option, text, fmt::format("is not an integer from 1 to {}", most));
    return *value;
}

double parse_positive(std::string_view option, std::string_view text) {
    const auto value = parse_whole<double>(text);
    if (!value || !std::isfinite(*value) || *value <= 0)
        refuse(option, text, "is not a positive, finite number");
    return *value;
}

double parse_size(std::string_view option, std::string_view text) {
    return parse_size_up_to(option, text, std::numeric_limits<std::uint32_t>::max());
}

std::size_t parse_points(std::string_view option, std::string_view item, std::string_view text) {
    const auto points = parse_exact<std::size_t>(text);
    if (!points || *points < 2 || *points > max_points)
        refuse(option, item, fmt::format("needs between 2 and {} points", max_points));
    return *points;
}

// The points of "A:B:step" between the parsed ends.
std::vector<double> parse_range(std::string_view option, std::string_view item, double first, double last,
                                std::string_view step) {
    if (!(first < last)) refuse(option, item, "is not an ascending range");
    std::vector<double> points;
    if (step.starts_with("x")) {
        const auto factor = parse_whole<double>(step.substr(1));
        if (!factor || !std::isfinite(*factor) || *factor <= 1)
            refuse(option, item, "needs a factor above 1, as in 4:64:x2");
        // The slack keeps an end that repeated multiplication misses by rounding.
        for (std::size_t i = 0;; ++i) {
            const double value = first * std::pow(*factor, static_cast<double>(i));
            if (value > last * (1 + 1e-9)) break;
            if (i == max_points) refuse(option, item, fmt::format("has more than {} points", max_points));
            points.push_back(std::min(value, last));
        }
    } else if (step.starts_with("log") || step.starts_with("lin")) {
        const bool logarithmic = step.starts_with("log");
        const auto count = parse_points(option, item, step.substr(3));
        for (std::size_t i = 0; i < count; ++i) {
            const double t = static_cast<double>(i) / static_cast<double>(count - 1);
            points.push_back(logarithmic ? std::pow(first, 1 - t) * std::pow(last, t)
                                         : first + (last - first) * t);
        }
        points.front() = first;
        points.back() = last;
    } else {
        refuse(option, item, "is not a range: A:B:xF, A:B:logN or A:B:linN");
    }
    return points;
}

using ParseValue = double (*)(std::string_view option, std::string_view text);

std::vector<double> parse_items(std::string_view option, std::string_view text, ParseValue parse_value) {
    std::vector<double> values;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto comma = std::min(text.find(',', begin), text.size());
        const auto item = boost::trim_copy(std::string(text.substr(begin, comma - begin)));
        begin = comma + 1;
        if (item.empty()) refuse(option, text, "has an empty item");
        const auto colons = std::count(item.begin(), item.end(), ':');
        if (colons == 0) {
            values.push_back(parse_value(option, item));
        } else if (colons == 2) {
            std::vector<std::string> parts;
            boost::split(parts, item, boost::is_any_of(":"));
            const auto range = parse_range(option, item, parse_value(option, parts[0]),
                                           parse_value(option, parts[1]), parts[2]);
            values.insert(values.end(), range.begin(), range.end());
        } else {
            refuse(option, item, "is not a range: A:B:xF, A:B:logN or A:B:linN");
        }
        if (values.size() > max_points)
            refuse(option, text, fmt::format("has more than {} points", max_points));
    }
    return values;
}

template <class T>
std::vector<T> sorted_distinct(std::string_view option, std::vector<T> values) {
    std::sort(values.begin(), values.end());
    const auto twice = std::adjacent_find(values.begin(), values.end());
    if (twice != values.end())
        throw UsageError(
            fmt::format("{}: {} is listed twice, or a range has more points than integers", option, *twice));
    return values;
}

} // namespace

double parse_real(std::string_view option, std::string_view text) {
    const auto value = parse_whole<double>(text);
    if (!value || !std::isfinite(*value)) refuse(option, text, "is not a finite number");
    return *value;
}

std::vector<double> parse_real_list(std::string_view option, std::string_view text) {
    return sorted_distinct(option, parse_items(option, text, parse_positive));
}

double parse_positive_real(std::string_view option, std::string_view text) {
    const auto list = parse_real_list(option, text);
    if (list.size() != 1) throw UsageError(fmt::format("{}: {} is not one number", option, in_quotes(text)));
    return list.front();
}

std::vector<std::uint32_t> parse_integer_list(std::string_view option, std::string_view text) {
    std::vector<std::uint32_t> values;
    for (const double value : parse_items(option, text, parse_size))
        values.push_back(static_cast<std::uint32_t>(std::lround(value)));
    return sorted_distinct(option, values);
}

std::uint32_t parse_integer(std::string_view option, std::string_view text, std::uint32_t most) {
    return parse_size_up_to(option, boost::trim_copy(std::string(text)), most);
}

std::uint64_t parse_count(std::string_view option, std::string_view text, bool zero_allowed) {
    const auto value = parse_exact<std::uint64_t>(text);
    if (!value || (*value == 0 && !zero_allowed))
        refuse(option, text, zero_allowed ? "is not a non-negative integer" : "is not a positive integer");
    return *value;
}

} // namespace etastar::sweep

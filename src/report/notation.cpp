#include "notation.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etastar::report {
namespace {

// The power of ten of a positive number's first digit once it has been rounded to two.
int decade(double x) {
    const auto text = fmt::format("{:.1e}", x);
    return std::stoi(text.substr(text.find('e') + 1));
}

} // namespace

std::string with_error(double value, double error) {
    if (!std::isfinite(value)) return "?";
    if (!(error > 0) || !std::isfinite(error) || value == 0) return fmt::format("{:#.5g}", value);
    const int exponent = decade(std::abs(value));
    const bool plain = exponent >= -4 && exponent < 6;
    const double unit = plain ? 1 : std::pow(10.0, exponent);
    const auto suffix = plain ? std::string() : fmt::format("e{}", exponent);
    const int decimals = 1 - decade(error / unit);
    // An error of ten units or more is shown as it is.
    if (decimals <= 0) return fmt::format("{:.0f}({:.0f}){}", value / unit, error / unit, suffix);
    const double last = std::pow(10.0, decimals);
    const auto shown = error / unit >= 1 ? fmt::format("{:.{}f}", error / unit, decimals)
                                         : fmt::format("{:.0f}", error / unit * last);
    return fmt::format("{:.{}f}({}){}", value / unit, decimals, shown, suffix);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    for (auto at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
        out.append(text.substr(0, at)).append(to);
        text.remove_prefix(at + from.size());
    }
    return out.append(text);
}

std::string with_minus(std::string_view text) { return replaced(text, "-", "−"); }

std::string law_text(std::string_view law) { return with_minus(replaced(law, "sqrt(", "√(")); }

std::string chi_squared_text(double x) {
    const auto text = fmt::format("{:.3g}", x);
    return x >= 999.5 && x < 1e6 ? fmt::format("{:.0f}", std::stod(text)) : text;
}

std::string freedom_text(std::size_t degrees) { return counted(degrees, "degree") + " of freedom"; }

std::string range_text(double least, double most, std::string_view between, int digits) {
    const auto low = fmt::format("{:.{}g}", least, digits);
    const auto high = fmt::format("{:.{}g}", most, digits);
    return low == high ? low : fmt::format("{}{}{}", low, between, high);
}

int decimals_of(double error) {
    if (!(error > 0) || !std::isfinite(error)) return 4;
    const auto text = fmt::format("{:.1e}", error);
    const bool two_digits = std::stod(text.substr(0, text.find('e'))) <= 3.5;
    return std::clamp((two_digits ? 1 : 0) - decade(error), 2, 6);
}

} // namespace etastar::report

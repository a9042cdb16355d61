#include "markup.hpp"

#include "etastar/error.hpp"

#include "notation.hpp"

#include <fmt/format.h>

namespace etastar::report {

std::string html(std::string_view text) {
    std::string out;
    bool first = true;
    while (first || !text.empty()) {
        // Line by line: etastar::shown() makes spaces of line breaks.
        if (!first) out += '\n';
        first = false;
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        // At most ten bytes are shown for one.
        for (const char c : etastar::shown(line, 10 * line.size() + 1)) {
            switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
            }
        }
        if (end != std::string_view::npos && text.empty()) out += '\n';
    }
    return out;
}

namespace {

// What stands between `begin` and a closing brace, in such an element.
std::string script(const std::string& text, std::string_view begin, const char* element) {
    std::string out;
    std::string_view rest = text;
    for (auto at = rest.find(begin); at != std::string_view::npos; at = rest.find(begin)) {
        const auto end = rest.find('}', at);
        if (end == std::string_view::npos) break;
        const auto inner = rest.substr(at + begin.size(), end - at - begin.size());
        out += fmt::format("{}<{}>{}</{}>", rest.substr(0, at), element, inner, element);
        rest.remove_prefix(end + 1);
    }
    return out.append(rest);
}

} // namespace

std::string html_sentence(std::string_view text) {
    auto out = html(text);
    out = script(script(out, "^{", "sup"), "_{", "sub");
    for (bool open = true;; open = !open) {
        const auto at = out.find('`');
        if (at == std::string::npos) break;
        out = fmt::format("{}{}{}", out.substr(0, at), open ? "<code>" : "</code>", out.substr(at + 1));
    }
    return replaced(out, "η*", "<i>η</i><sup>∗</sup>");
}

std::string json_in_script(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    for (const char c : json) {
        if (c == '<' || c == '>' || c == '&')
            out += fmt::format("\\u{:04x}", c);
        else
            out += c;
    }
    return out;
}

std::string shell_word(std::string_view text) {
    constexpr std::string_view harmless =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,=+@%-";
    if (!text.empty() && text.find_first_not_of(harmless) == std::string_view::npos) return std::string(text);
    // What a page cannot show as it is, byte by byte.
    const bool strange = etastar::shown(text, text.size() * 10 + 1) != text;
    std::string out = strange ? "$'" : "'";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (strange && (byte < 0x20 || byte >= 0x7f))
            out += fmt::format("\\x{:02x}", byte);
        else if (strange && (c == '\'' || c == '\\'))
            out += fmt::format("\\{}", c);
        else if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

} // namespace etastar::report

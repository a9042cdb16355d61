#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>

namespace etastar {
namespace {

// Of a message on standard error.
constexpr std::size_t longest_line = 960;
// Of a value in it.
constexpr std::size_t longest_value = 80;

struct Range {
    std::uint32_t first;
    std::uint32_t last;
};

// Code points that a terminal obeys, reorders text by, or does not draw.
constexpr Range not_shown[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202f},
    {0x205f, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

struct Character {
    std::uint32_t code = 0;
    std::size_t bytes = 0; // 0: not UTF-8
};

Character decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
    std::uint32_t code = lead & (0xffu >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {};
        code = code << 6 | (byte(i) & 0x3fu);
    }
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < smallest[bytes] || code > 0x10ffff || surrogate) return {};
    return {code, bytes};
}

std::string hexadecimal(std::uint32_t value, std::size_t digits) {
    std::string text;
    for (; value > 0 || text.size() < digits; value /= 16)
        text.insert(text.begin(), "0123456789abcdef"[value % 16]);
    return text;
}

// Takes the text's first character off it and returns what is shown for it.
std::string take_shown(std::string_view& text) {
    const auto character = decode(text);
    const auto front = text.substr(0, std::max<std::size_t>(character.bytes, 1));
    text.remove_prefix(front.size());
    if (character.bytes == 0) return "\\x" + hexadecimal(static_cast<std::uint8_t>(front.front()), 2);
    if (character.code == '\n') return " ";
    for (const auto& range : not_shown)
        if (character.code >= range.first && character.code <= range.last)
            return character.code < 0x80 ? "\\x" + hexadecimal(character.code, 2)
                                         : "\\u{" + hexadecimal(character.code, 1) + "}";
    return std::string(front);
}

bool continues(char byte) { return (static_cast<std::uint8_t>(byte) & 0xc0) == 0x80; }

} // namespace

std::string shown(std::string_view text, std::size_t longest) {
    std::string whole;
    for (auto rest = text; !rest.empty() && whole.size() <= longest;) whole += take_shown(rest);
    if (whole.size() <= longest) return whole;

    std::string head;
    auto rest = text;
    while (true) {
        auto after = rest;
        const auto next = take_shown(after);
        if (head.size() + next.size() > longest * 2 / 3) break;
        head += next;
        rest = after;
    }
    // No character is shown in fewer bytes than it has.
    std::size_t begin = rest.size() - std::min(rest.size(), longest / 3);
    while (begin < rest.size() && continues(rest[begin])) ++begin;
    auto end = rest.substr(begin);
    std::string tail;
    for (auto left = end; !left.empty();) {
        tail += take_shown(left);
        if (tail.size() > longest / 3) {
            tail.clear();
            take_shown(end);
            left = end;
        }
    }
    return fmt::format("{}… ({} bytes) …{}", head, rest.size() - end.size(), tail);
}

std::string in_quotes(std::string_view value) { return fmt::format("'{}'", shown(value, longest_value)); }

std::string counted(std::uint64_t count, std::string_view thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string error_line(std::string_view message) {
    return fmt::format("etastar: {}\n", shown(message, longest_line));
}

void print_error(std::string_view message) {
    const auto line = error_line(message);
    std::fwrite(line.data(), 1, line.size(), stderr);
}

} // namespace etastar

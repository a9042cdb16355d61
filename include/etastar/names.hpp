#pragma once

#include "etastar/error.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace etastar {

// The user-visible names of an enumeration: one table serves the command line, the file and the messages. A
// specialisation has `what` (the option's name) and `table`.
template <class Enum>
struct Names;

template <class Enum>
constexpr std::string_view name_of(Enum value) {
    for (const auto& [name, entry] : Names<Enum>::table)
        if (entry == value) return name;
    return "?";
}

// Throws UsageError naming the choices.
template <class Enum>
Enum parse_name(std::string_view text) {
    std::string choices;
    for (const auto& [name, entry] : Names<Enum>::table) {
        if (name == text) return entry;
        choices += (choices.empty() ? "" : ", ") + std::string(name);
    }
    throw UsageError(std::string(Names<Enum>::what) + ": " + in_quotes(text) + " is not one of " + choices);
}

template <class Enum, std::size_t N>
using NameTable = std::array<std::pair<std::string_view, Enum>, N>;

} // namespace etastar

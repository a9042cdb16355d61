#pragma once

#include "etastar/names.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace etastar::model {

// A list of structs that are alternatives of one another, and the enumeration of them: an alternative's value is its place.
template <class... Each>
struct List {};

template <class Enum, class Wanted, class... Each>
constexpr Enum place(List<Each...>) {
    std::uint8_t at = 0;
    bool found = false;
    ((found = found || std::is_same_v<Wanted, Each>, at = static_cast<std::uint8_t>(at + (found ? 0 : 1))),
     ...);
    return Enum{at};
}

template <class Enum, class... Each>
constexpr auto list_names(List<Each...> list) {
    return NameTable<Enum, sizeof...(Each)>{{{Each::name, place<Enum, Each>(list)}...}};
}

// visitor(Struct{}) of the alternative of this value.
template <class Enum, class Visitor, class First, class... Rest>
decltype(auto) visit(List<First, Rest...>, Enum value, Visitor&& visitor, std::size_t at = 0) {
    if constexpr (sizeof...(Rest) > 0)
        if (static_cast<std::size_t>(value) != at)
            return visit(List<Rest...>{}, value, std::forward<Visitor>(visitor), at + 1);
    return visitor(First{});
}

} // namespace etastar::model

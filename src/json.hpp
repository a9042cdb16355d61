#pragma once

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <string>

namespace etastar {

// Keys in the order in which they were set.
using Json = nlohmann::ordered_json;

// JSON knows no infinity and no NaN: what is not finite, or not there, is null.
inline Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
inline Json number(const std::optional<double>& x) { return x ? number(*x) : Json(nullptr); }

// As text, with a bad byte of a name replaced; indented by so many spaces, or on one line for -1.
inline std::string dumped(const Json& tree, int indent) {
    return tree.dump(indent, ' ', false, Json::error_handler_t::replace);
}

} // namespace etastar

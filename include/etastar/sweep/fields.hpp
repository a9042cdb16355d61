#pragma once

#include "etastar/sweep/spec.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::sweep {

// A field of a spec, once for the command line, the file and the messages.
struct Field {
    std::string_view key;             // in the file's spec; the option has - for _
    std::string_view standard;        // the default, as on the command line; empty for a flag
    std::string help;                 // of the option
    std::vector<std::string> choices; // that a value is one of; empty for other kinds of value
    bool of_model = false;            // the model's own: an option of `theory`, too

    // Why a spec has no such field, which may then not be given and is not in the file; empty where it has. What this
    // depends on are fields before this one.
    std::function<std::string(const Spec& spec)> absence;

    // A spec may be without it, and then is as if there were no such field: it writes null.
    bool optional = false;

    // From the command line; `option` names it in the UsageError.
    std::function<void(Spec& spec, std::string_view option, const std::string& text)> parse;
    std::function<void(Spec& spec, const nlohmann::ordered_json& value)> read;
    std::function<nlohmann::ordered_json(const Spec& spec)> write;

    bool is_flag() const { return standard.empty(); }
    bool is_in(const Spec& spec) const;
    std::string option() const; // the key with - for _
};

// In the order in which they stand in the file. To add one is to add it to Spec and here.
std::span<const Field> fields();

} // namespace etastar::sweep

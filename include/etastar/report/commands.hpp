#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/sweep/spec.hpp"

#include <string>
#include <vector>

namespace etastar::report {

// What reproduces a sweep and what was made of it. A spec's data that are a user's own stand for themselves as FILE.h5.

// The lines of a configuration file, `name = value`, of every option that is not its default; lists that a range names are
// that range.
std::string sweep_config(const sweep::Spec& spec);

// The same as words of a command line, for a POSIX shell, each with a space before it.
std::string sweep_words(const sweep::Spec& spec);

// Every field of the spec, defaults included.
struct SpecEntry {
    std::string key;
    std::string value;
    std::string meaning;
};
std::vector<SpecEntry> spec_entries(const sweep::Spec& spec);

// The options of `etastar fit` that are not their defaults, likewise.
std::string fit_words(const analysis::FitOptions& options);

} // namespace etastar::report

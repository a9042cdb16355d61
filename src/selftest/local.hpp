#pragma once

#include "etastar/sweep/spec.hpp"

#include <span>
#include <string>

namespace etastar::selftest {

// A check that one process does for itself: a remark, or throws Wrong.
struct LocalCheck {
    const char* name;
    std::string (*run)();
};

std::span<const LocalCheck> local_checks();

// The sweep that ranks run together.
sweep::Spec small_spec();

// Of some of that sweep's rows, by this rank's processor: a local check whose remark is the same on every rank.
std::string digest_of_rows();

} // namespace etastar::selftest

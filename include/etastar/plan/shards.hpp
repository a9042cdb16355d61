#pragma once

#include "etastar/sweep/spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::plan {

// Shards are contiguous parts of a sweep's seeds, each a sweep of its own.

// Shard `index` of `count`, from 1; the first seeds % count have one seed more. Throws UsageError where there is no such
// shard or some would be empty.
sweep::Spec shard(const sweep::Spec& whole, std::uint64_t index, std::uint64_t count);

// A sweep that may be a shard of another: its spec, the name for messages, and the spec of the whole as JSON, empty
// where it does not say.
struct Part {
    std::string name;
    sweep::Spec spec;
    std::string whole;

    std::uint64_t first() const { return spec.first_seed; }
    std::uint64_t last() const {
        return spec.first_seed + (spec.seeds - 1);
    } // inclusive: the end may be 2^64
};

// The whole sweep whose parts these are; sorts them by seed. Throws FileError where they belong to different sweeps,
// overlap or leave a gap.
sweep::Spec join(std::vector<Part>& parts);

} // namespace etastar::plan

#include "etastar/plan/shards.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace etastar::plan {
namespace {

std::string seeds(std::uint64_t first, std::uint64_t last) {
    return first == last ? fmt::format("seed {}", first) : fmt::format("seeds {} to {}", first, last);
}

// The spec without its seeds.
sweep::Spec family(sweep::Spec spec) {
    spec.first_seed = 0;
    spec.seeds = 1;
    return spec;
}

void refuse_strangers(const std::vector<Part>& parts) {
    const auto& first = parts.front();
    for (const auto& part : parts)
        for (const auto& [field, here, there] : sweep::differences(family(first.spec), family(part.spec)))
            throw FileError(fmt::format("{}: is no shard of the same sweep as {}: {} is {} there, {} here",
                                        part.name, first.name, field, here, there));
    for (const auto& part : parts)
        if (part.whole != first.whole)
            throw FileError(
                fmt::format("{}: is no shard of the same sweep as {}: their whole sweeps have other seeds",
                            part.name, first.name));
}

void refuse_overlaps_and_gaps(const std::vector<Part>& parts, const sweep::Spec& whole) {
    const auto missing = [](std::uint64_t first, std::uint64_t last, const std::string& where) {
        throw FileError(fmt::format("{} are in no shard: {}", seeds(first, last), where));
    };
    if (parts.front().first() > whole.first_seed)
        missing(whole.first_seed, parts.front().first() - 1,
                fmt::format("{} is the first", parts.front().name));
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto& before = parts[i - 1];
        const auto& part = parts[i];
        if (part.first() <= before.last())
            throw FileError(fmt::format("{} and {} both have {}", before.name, part.name,
                                        seeds(part.first(), std::min(before.last(), part.last()))));
        if (part.first() > before.last() + 1)
            missing(before.last() + 1, part.first() - 1,
                    fmt::format("between {} and {}", before.name, part.name));
    }
    const auto end = whole.first_seed + (whole.seeds - 1);
    if (parts.back().last() < end)
        missing(parts.back().last() + 1, end, fmt::format("{} is the last", parts.back().name));
}

// The sweep that a part says it is of; else what there is.
sweep::Spec whole_of(const Part& part, const sweep::Spec& joined) {
    if (part.whole.empty()) return joined;
    try {
        return sweep::from_json(part.whole);
    } catch (const UsageError& error) {
        throw FileError(fmt::format("{}: is damaged: shard_of: {}", part.name, error.what()));
    }
}

} // namespace

sweep::Spec shard(const sweep::Spec& whole, std::uint64_t index, std::uint64_t count) {
    if (index == 0 || index > count)
        throw UsageError(fmt::format("shard: '{}/{}': there are shards 1 to {}", index, count, count));
    if (count > whole.seeds)
        throw UsageError(
            fmt::format("shard: {} shards of {} seeds would leave some empty", count, whole.seeds));
    const auto each = whole.seeds / count;
    const auto more = whole.seeds % count;
    auto part = whole;
    part.first_seed += (index - 1) * each + std::min(index - 1, more);
    part.seeds = each + (index <= more ? 1 : 0);
    return part;
}

sweep::Spec join(std::vector<Part>& parts) {
    std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.first() < b.first(); });
    refuse_strangers(parts);
    auto joined = parts.front().spec;
    joined.seeds = parts.back().last() - joined.first_seed + 1;
    refuse_overlaps_and_gaps(parts, whole_of(parts.front(), joined));
    sweep::validate(joined);
    return joined;
}

} // namespace etastar::plan

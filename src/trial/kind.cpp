#include "etastar/trial/kind.hpp"

#include "etastar/error.hpp"
#include "etastar/trial/first_step.hpp"
#include "etastar/trial/training.hpp"

#include <fmt/format.h>

namespace etastar::trial {

std::span<const Kind* const> kinds() {
    static const FirstStep first_step;
    static const Training training;
    static const Kind* const list[] = {&first_step, &training};
    return list;
}

const Kind& find_kind(std::string_view name, std::span<const Kind* const> among) {
    std::string choices;
    for (const auto* kind : among) {
        if (kind->name() == name) return *kind;
        choices += fmt::format("{}{}", choices.empty() ? "" : ", ", kind->name());
    }
    throw UsageError(fmt::format("trial: '{}' is not one of {}", name, choices));
}

void make_unmeasured(const RecordLayout& layout, const plan::Plan& plan, std::uint64_t network, Status status,
                     Bytes record) {
    const auto id = plan.id(network);
    make_unmeasured(layout, {id.width, id.depth, id.seed, 0}, plan.cell_of(network).etas, status, record);
}

} // namespace etastar::trial

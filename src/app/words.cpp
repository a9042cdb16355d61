#include "words.hpp"

#include "etastar/error.hpp"
#include "etastar/model/description.hpp"

#include <fmt/format.h>

#include <vector>

namespace etastar::app {
namespace {

std::string axis_in_words(const char* name, const std::vector<std::uint32_t>& axis) {
    if (axis.size() == 1) return fmt::format("{} {}", name, axis.front());
    if (axis.size() == 2) return fmt::format("{}s {} and {}", name, axis.front(), axis.back());
    return fmt::format("{} {}s from {} to {}", axis.size(), name, axis.front(), axis.back());
}

} // namespace

std::string sweep_in_words(const sweep::Spec& spec) {
    const auto model = model::describe(spec.model, sweep::optimizer_name(spec));
    const auto trial = spec.trains() ? fmt::format("training ({})", sweep::describe_training(spec))
                       : spec.trial == "first-step" ? std::string("first step")
                                                    : spec.trial;
    return fmt::format("{} of {}; {} x {} x {} x {}; {} engine, {} precision", trial, model,
                       axis_in_words("width", spec.width), axis_in_words("depth", spec.depth),
                       counted(spec.seeds, "seed"), counted(spec.eta.size(), "rate"), name_of(spec.engine),
                       name_of(spec.precision));
}

} // namespace etastar::app

#pragma once

#include "etastar/model/model.hpp"
#include "etastar/names.hpp"

#include <cstddef>

namespace etastar::engine {

enum class EngineKind { dense, implicit };
enum class Precision { single_, double_ };

// Bytes a rank may spend on keeping a network's weights between the passes that need them. What does not fit
// is drawn again from its stream: the same numbers, more time.
inline constexpr std::size_t default_weight_budget = std::size_t{1} << 30;

// How networks of a model are computed. The budget changes no number.
struct Settings {
    model::Model model;
    EngineKind kind = EngineKind::implicit;
    Precision precision = Precision::single_;
    std::size_t weight_budget = default_weight_budget;
};

} // namespace etastar::engine

template <>
struct etastar::Names<etastar::engine::EngineKind> {
    static constexpr std::string_view what = "engine";
    static constexpr NameTable<engine::EngineKind, 2> table{
        {{"dense", engine::EngineKind::dense}, {"implicit", engine::EngineKind::implicit}}};
};
template <>
struct etastar::Names<etastar::engine::Precision> {
    static constexpr std::string_view what = "precision";
    static constexpr NameTable<engine::Precision, 2> table{
        {{"single", engine::Precision::single_}, {"double", engine::Precision::double_}}};
};

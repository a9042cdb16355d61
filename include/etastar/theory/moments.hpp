#pragma once

#include "etastar/theory/infinite_width.hpp"
#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>

namespace etastar::theory {

// Exact at every width n >= 1, in O(L) operations, for plain networks of a piecewise linear activation and residual ones of a
// linear activation that take a step of gradient descent (docs/science.md, "Exact moments"): the second moments of the
// response close in a few numbers per layer. May overflow to
// infinity where G is that heavy (n of a few, hundreds of layers). Bits do not depend on the processor.
Responses exact_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth);

class ExactMoments final : public Theory {
public:
    std::string_view name() const override { return "exact moments"; }
    Regime regime() const override { return Regime::finite_width; }
    bool covers(const model::Model& model) const override;
    // Absent for Layer::max: the mean of a maximum does not close.
    std::optional<double> response(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   Layer layer) const override;
    std::optional<double> size(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                               Layer layer) const override;
};

} // namespace etastar::theory

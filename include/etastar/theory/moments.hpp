#pragma once

#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace etastar::theory {

// Expectations over networks of the unit-error responses (docs/science.md, "Exact moments").
struct Responses {
    std::vector<double> hidden; // E G_l at index l - 1, l = 1..L
    double output = 0;          // E Theta^2, df/deta = -(f - y) Theta

    // E of the quantity the criterion looks at; absent for Layer::max, which has no closed form at finite width.
    std::optional<double> of(Layer layer) const;
};

// Exact at every width n >= 1, in O(L) operations, for activations with a fair mask: the second moments of the response
// close in five numbers per layer. May overflow to infinity where G is that heavy (n of a few, hundreds of layers).
Responses exact_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth);

// Leading order at large width, at fixed ratio of the first layer's response to the width (c1/n = 1 under
// mup, n0/n under one global rate): E G_l = m_l^2/2 + sum_{k<l} m_k^2 with m_l = c1/n + w (l - 1). It does not decrease
// with l and does not fluctuate, so that its largest value is the last.
Responses infinite_width_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth);

// The same as theories; the infinite width has the finite step, too (finite_step.hpp).
class ExactMoments final : public Theory {
public:
    std::string_view name() const override { return "exact moments"; }
    Regime regime() const override { return Regime::finite_width; }
    bool covers(const model::Model& model) const override;
    std::optional<double> response(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   Layer layer) const override;
};

class InfiniteWidth final : public Theory {
public:
    std::string_view name() const override { return "infinite width"; }
    Regime regime() const override { return Regime::infinite_width; }
    bool covers(const model::Model& model) const override;
    std::optional<double> response(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   Layer layer) const override;
    std::optional<Changes> changes(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   double eta) const override;
};

} // namespace etastar::theory

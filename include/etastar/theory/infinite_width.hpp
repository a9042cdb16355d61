#pragma once

#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace etastar::theory {

// Expectations over networks of the unit-error responses to linear order.
struct Responses {
    std::vector<double> hidden; // E G_l at index l - 1, l = 1..L
    double output = 0; // E Theta^2, df/deta = -(f - y) Theta, or -sgn(f - y) Theta where the step has no size

    // E of the quantity the criterion looks at. Layer::max is the largest of `hidden`: the mean of a network's own largest
    // only where nothing fluctuates.
    double of(Layer layer) const;
};

// E (z^l)^2 at index l - 1, at infinite width.
std::vector<double> infinite_width_sizes(const model::Model& model, std::uint32_t depth);

// Plain networks of any activation, weight variance and optimizer at infinite width, with or without biases (docs/science.md,
// "Any first step at infinite width"), where nothing fluctuates. The width enters through multipliers that are not those of
// the maximal update. Infinite where they leave the range of double. To linear order their bits do not depend on the
// processor.
Responses infinite_width_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth);
Changes infinite_width_changes(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                               double eta);

class InfiniteWidth final : public Theory {
public:
    std::string_view name() const override { return "infinite width"; }
    Regime regime() const override { return Regime::infinite_width; }
    bool covers(const model::Model& model) const override;
    bool reaches(const model::Model& model, std::uint32_t depth) const override;
    std::optional<double> response(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   Layer layer) const override;
    std::optional<Changes> changes(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   double eta) const override;
    std::optional<double> size(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                               Layer layer) const override;
};

} // namespace etastar::theory

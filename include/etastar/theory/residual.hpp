#pragma once

#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>

namespace etastar::theory {

// Residual networks of any activation and optimizer at infinite width (docs/science.md, "Residual streams"): a neuron is a
// path, x^l through the layers with its backward field, and the layers are coupled by means over neurons. To linear order
// gradient descent and the normalized step are sums over pairs of layers; a sign step and finite steps are integrated over
// paths. Paths, like all bits of the linear order, are the same on every processor and in every call.
class ResidualStream final : public Theory {
public:
    std::string_view name() const override { return "infinite width, integrated paths"; }
    Regime regime() const override { return Regime::infinite_width; }
    bool covers(const model::Model& model) const override;
    bool reaches(const model::Model& model, std::uint32_t depth) const override;
    std::optional<double> response(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   Layer layer) const override;
    double response_error(const model::Model& model, std::uint32_t width, std::uint32_t depth) const override;
    // With its error: relative, 1e-3 to 1e-2. Memory: 2^15 numbers a layer and more.
    std::optional<Changes> changes(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                   double eta) const override;
    std::optional<double> size(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                               Layer layer) const override;
};

} // namespace etastar::theory

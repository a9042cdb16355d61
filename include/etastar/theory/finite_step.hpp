#pragma once

#include "etastar/theory/theory.hpp"

#include <cstdint>

namespace etastar::theory {

// One whole step of base rate eta at infinite width, where E (dz^l)^2 and the output's change do not fluctuate
// (docs/science.md, section 8), for models with a fair mask. The error is the unit error, -r = 1. The width enters as in
// infinite_width_responses: through c1/n and the read-out's multiplier times n.
//
// A walk through the layers, from layer 1: O(1) each, and every layer is the last one of a network of that depth. What
// leaves the range of double is infinite, never NaN. Relative errors are of the order of the rounding of one operation
// times the number of layers and, where the step grows exponentially with depth, times that exponent: no cancellation.
class FiniteStep {
public:
    // eta > 0 and finite.
    FiniteStep(const model::Model& model, std::uint32_t width, double eta);

    // To the next layer.
    void advance();

    std::uint32_t layer() const { return layer_; }

    // As if this layer were the network's last: E (dz^l)^2, all changes so far, and the output's own, df.
    double dz2() const { return dz2_; }
    Changes changes() const { return {dz2_, max_, total_ / layer_, output_ * output_}; }
    double output_change() const { return output_; }

private:
    void measure();

    // Multipliers times eta: m_1 c1/n, w, m_v n.
    double first_;
    double hidden_;
    double readout_;

    // dz^l = H z + D (b 1[z>0] g' + c g''), with D = 1 + H.
    std::uint32_t layer_ = 1;
    double coherent_ = 0; // H
    double b_ = 0;
    double c_ = 0;

    double next_coherent_ = 0; // H of layer l + 1
    double growth_ = 1;        // its D over this one
    double kept_ = 1;          // share of b 1[z>0] g' that layer l + 1 gets back
    double next_c_ = 0;
    double dz2_ = 0;
    double max_ = 0;
    double total_ = 0;
    double output_ = 0;
};

// The walk at the network's last layer.
FiniteStep finite_step(const model::Model& model, std::uint32_t width, std::uint32_t depth, double eta);

} // namespace etastar::theory

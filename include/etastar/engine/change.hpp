#pragma once

#include "etastar/engine/engine.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace etastar::engine {

// The change of a network's activations through its layers, for many steps at once.
//
// A step with error r = f - y and base rate eta changes layer l by
//
//     dz^l = W^l dh^{l-1} + g m_l delta^l (q + h^{l-1} . dh^{l-1}),    g = -eta r,  q = ||h^{l-1}||^2
//     dh^l = phi(z^l + dz^l) - phi(z^l)
//
// with m_l the layer's rate multiplier. Columns 1..K are the steps; column 0 is the linear response s^l,
// which is the same recursion with g = 1, no feedback h . dh, and a step too small to move any neuron across
// its kink.
//
// dz is carried instead of the changed activations, and each column as mantissas times a power of two of its
// own: dz = scale * d. Hence a column is as accurate at eta = 1e-30 as at 1 and cannot overflow single
// precision.
//
// An engine calls, for every layer, begin_layer; then computes for every neuron i and column k
//
//     d = carry[k] (W^l e)_i + inject[k] delta_i,    e' = change(z_i, d, kink[k])
//
// where e are the mantissas of dh^{l-1} and e' those of dh^l, adds to the sums over neurons, and calls
// end_layer. z and delta shrink or grow by orders of magnitude in narrow deep networks; engines keep each in a
// unit of its own, too.
class ChangeColumns {
public:
    // gains: -eta_k r of every step. width: n.
    ChangeColumns(std::span<const double> gains, std::size_t width);

    std::size_t count() const { return columns_.size(); }
    double gain(std::size_t k) const { return columns_[k].gain; }

    // law: of W^l; its rate is m_l. q: ||h^{l-1}||^2 (l = 1: ||x||^2). delta2: ||delta^l||^2.
    void begin_layer(const model::LayerLaw& law, double q, double delta2);

    // Coefficients of the current layer.
    double carry(std::size_t k) const { return columns_[k].carry; }
    double inject(std::size_t k) const { return columns_[k].inject; }
    // With z in this unit. At most 1e38: finite in single precision, so that a neuron at exactly 0 gives 0 and not
    // NaN, yet far beyond any d.
    double kink(std::size_t k, double unit) const {
        constexpr double largest = 1e38;
        const auto& c = columns_[k];
        return c.feedback == 0 ? largest : std::min(unit / c.scale, largest);
    }

    // Sums over neurons, in double; the engine adds mantissa products.
    struct Sums {
        double change2 = 0;    // sum d^2
        double active2 = 0;    // sum e'^2
        double overlap = 0;    // sum h_i e'_i
        double projection = 0; // sum p_i e'_i, p a vector of the engine's choice
    };
    Sums& sums(std::size_t k) { return columns_[k].sums; }
    const Sums& sums(std::size_t k) const { return columns_[k].sums; }

    void end_layer();

    // True while no layer has injected anything: every column is zero.
    bool silent() const { return silent_; }

    // Over the finished layers: ||dz^l||^2 / n at the last, largest, mean. Column 0: G_l, which is also kept for each.
    double last(std::size_t k) const { return columns_[k].last; }
    double max(std::size_t k) const { return columns_[k].max; }
    double mean(std::size_t k) const { return columns_[k].total / static_cast<double>(responses_.size()); }

    std::vector<double> take_responses() { return std::move(responses_); }

    // The steps' outcomes after the last layer, if its projections are on the read-out v. output: f.
    // multiplier: the read-out's. q: ||h^L||^2.
    std::vector<StepOutcome> outcomes(double output, double multiplier, double q) const;

private:
    struct Column {
        double gain = 0;
        double feedback = 0; // 1 for a step, 0 for the linear response
        double scale = 1;
        double carry = 0;
        double inject = 0;
        Sums sums;
        double last = 0;
        double max = 0;
        double total = 0;
    };

    std::vector<Column> columns_;
    double width_;
    std::vector<double> responses_; // of the finished layers
    bool silent_ = true;
};

} // namespace etastar::engine

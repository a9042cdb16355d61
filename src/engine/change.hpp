#pragma once

#include "etastar/engine/engine.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace etastar::engine {

// Lengths that decide a step: of the values that enter a layer, and of the gradient at it.
struct StepLengths {
    double h2 = 0; // ||h^{l-1}||^2, l = 1: ||x||^2
    double h1 = 0; // sum |h^{l-1}_i|; read where the optimizer's steps are signs
    double p2 = 0; // ||P^l||^2, P^l = df/dz^l
};

// The change of a network's activations through its layers, for many steps at once.
//
// With the layer's block z^l = skip z^{l-1} + tau (W^l h^{l-1} + b^l), the gradient at its matrix is r u w^T with
// u = tau P^l, w = h^{l-1}. A step (model/optimizer.hpp) of error factor g = -eta r or -eta sgn(r) changes the layer by
//
//     dz^l = skip dz^{l-1} + tau W^l dh^{l-1}
//            + g tau d(u) [m_l weight(|u|, |w|) d(w) . (h^{l-1} + dh^{l-1}) + m_b weight(|u|, 1)]
//     dh^l = phi(z^l + dz^l) - phi(z^l)
//
// with multipliers m_l of the weights and m_b of the biases. Columns 1..K are the steps; column 0 is the linear response
// s^l, which is the same recursion with g = 1, no feedback d(w) . dh, and dh = phi'(z) dz.
//
// dz is carried instead of the changed activations, and each column as mantissas times a power of two of its
// own: dz = scale * d. Hence a column is as accurate at eta = 1e-30 as at 1 and cannot overflow single
// precision.
//
// An engine calls, for every layer, begin_layer; then computes for every neuron i and column k
//
//     d = skip[k] d0_i + carry[k] (W^l e)_i + inject[k] D_i,    e' = (phi(z_i + step[k] d) - phi(z_i)) / step[k]
//
// where d0 and e are the mantissas of dz^{l-1} and dh^{l-1}, e' those of dh^l, and D = P^l or sgn(P^l); it adds to the sums
// over neurons, and calls end_layer. z and P shrink or grow by orders of magnitude in narrow deep networks; engines keep
// each in a unit of its own, too.
class ChangeColumns {
public:
    // gains: g of every step. width: n.
    ChangeColumns(const model::StepRule& rule, std::span<const double> gains, std::size_t width);

    std::size_t count() const { return columns_.size(); }
    double gain(std::size_t k) const { return columns_[k].gain; }
    bool signs() const { return rule_.signs; }

    void begin_layer(const model::LayerLaw& law, const StepLengths& lengths);

    // Coefficients of the current layer.
    double skip(std::size_t k) const { return columns_[k].skip; }
    double carry(std::size_t k) const { return columns_[k].carry; } // tau included
    double inject(std::size_t k) const { return columns_[k].inject; }
    // Of a step, with z in this unit; and 1 / step. At most 1e38: finite in single precision, so that a neuron at exactly 0
    // gives 0 and not NaN, yet far beyond any d.
    double step(std::size_t k, double unit) const { return std::min(columns_[k].scale / unit, largest); }
    double kink(std::size_t k, double unit) const { return std::min(unit / columns_[k].scale, largest); }

    // Sums over neurons, in double; the engine adds mantissa products.
    struct Sums {
        double change2 = 0;      // sum d^2
        double active2 = 0;      // sum e'^2
        double overlap = 0;      // sum h_i e'_i
        double projection = 0;   // sum p_i e'_i, p a vector of the engine's choice
        double sign_overlap = 0; // sum sgn(h_i) e'_i, where signs()
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

    // The steps' outcomes after the last layer, if its projections are on the read-out v. output: f. law: of the read-out,
    // which h^L of these lengths enters.
    std::vector<StepOutcome> outcomes(double output, const model::LayerLaw& law,
                                      const StepLengths& lengths) const;

private:
    static constexpr double largest = 1e38;

    struct Column {
        double gain = 0;
        double feedback = 0; // 1 for a step, 0 for the linear response
        double scale = 1;
        double skip = 0;
        double carry = 0;
        double inject = 0;
        Sums sums;
        double last = 0;
        double max = 0;
        double total = 0;
    };

    // scale times d(w) . e
    double along(const Column& c) const {
        return c.scale * (rule_.signs ? c.sums.sign_overlap : c.sums.overlap);
    }

    model::StepRule rule_;
    std::vector<Column> columns_;
    double width_;
    std::vector<double> responses_; // of the finished layers
    bool silent_ = true;
};

} // namespace etastar::engine

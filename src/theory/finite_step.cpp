#include "etastar/theory/finite_step.hpp"

#include "../floating.hpp"
#include "quadrature.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace etastar::theory {
namespace {

using std::numbers::pi;

} // namespace

FiniteStep::FiniteStep(const model::Model& model, std::uint32_t width, double eta) {
    const auto laws = model::layer_laws(model, width, 1);
    const double n = width;
    first_ = eta * (model.input_dim * laws.first.rate / n);
    hidden_ = eta * laws.hidden.rate;
    readout_ = eta * (laws.readout.rate * n);
    b_ = first_;
    measure();
}

void FiniteStep::advance() {
    b_ = b_ * kept_ / growth_ + hidden_;
    c_ = next_c_;
    coherent_ = next_coherent_;
    ++layer_;
    measure();
}

// With t^2 = (b^2 + c^2) / 2, u^2 = c^2 / 2, z + dz is D (z + sqrt(2) t xi) where z > 0 and D (z + sqrt(2) u xi) elsewhere,
// xi ~ N(0, 1) independent of z. In units of D the moments of dh know nothing of H, and with t^2 taken out of them nothing
// cancels: for k(t) = (t - arctan t) / t^2
//
//     H' = H + D t^2 k(t) / pi                                  D' = D growth
//     E g' dh = D b (pi - arctan t) / 2 pi                      2 E g' dh = D b kept
//     E dh^2 - H'^2 = D^2 t^2 (1 - [arctan t + k(t) - (u/t)^2 (arctan u - k(u))] / pi - [t k(t) / pi]^2)
void FiniteStep::measure() {
    constexpr double root2 = std::numbers::sqrt2;
    const double d = 1 + coherent_;
    const double spread = std::hypot(b_, c_);
    if (spread == 0) {
        output_ = readout_; // nothing has moved yet
        return;
    }
    const double t = spread / root2;
    const double u = c_ / root2;
    const double arctan_t = std::atan(t);
    const double arctan_u = std::atan(u);
    const double k = kink(t, arctan_t);
    const double gain = t * k / pi;
    const double ratio = c_ / spread;
    const double share =
        1 - (arctan_t + k - ratio * ratio * (arctan_u - kink(u, arctan_u))) / pi - gain * gain;
    growth_ = 1 + gain * t;
    kept_ = (pi - arctan_t) / pi;
    next_coherent_ = coherent_ + d * gain * t;
    next_c_ = spread * std::sqrt(share) / growth_;

    // A NaN here is an overflow that met a zero or another overflow.
    const double h = root2 * coherent_;
    const double b = d * b_ / root2;
    const double c = d * c_;
    dz2_ = infinite_if_nan(h * h + b * b + c * c);
    max_ = std::max(max_, dz2_);
    total_ += dz2_;
    output_ = infinite_if_nan(d * (b_ * kept_ / 2 + readout_ * growth_));
}

FiniteStep finite_step(const model::Model& model, std::uint32_t width, std::uint32_t depth, double eta) {
    FiniteStep step(model, width, eta);
    while (step.layer() < depth) step.advance();
    return step;
}

} // namespace etastar::theory

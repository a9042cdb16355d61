#pragma once

#include "etastar/model/model.hpp"

namespace etastar::theory {

inline double square(double x) { return x * x; }

inline constexpr double root_two_over_pi = 0.7978845608028654; // E |g|, g ~ N(0, 1)

// What an activation makes of z ~ N(0, k): moments in units that leave a homogeneous phi's independent of k.
struct Gauge {
    double k = 0;
    double r = 0;  // E phi^2 / k
    double e1 = 0; // E |phi'|, and so on
    double e2 = 0;
    double e3 = 0;
    double e4 = 0;
    double modulus = 0; // E |phi| / k^(1/2)
    double nonzero = 1; // P(phi' != 0)
};

// Bits do not depend on the processor. k from 0 to infinity.
Gauge gauge(const model::Model& model, double k);

// A neuron's change, its variates independent N(0, 1) and k^(1/2) its unit of length:
//
//     dz = a z + b phi'(z) g' + d sgn(phi'(z)) sgn(g') + c g''
struct Change {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
};

// What its activation does then, dphi = phi(z + dz) - phi(z), in the same unit.
struct Echo {
    double h = 0;     // E phi dphi
    double fresh = 0; // E dphi^2 - h^2 / E phi^2
    double p = 0;     // E g' dphi
    double s = 0;     // E sgn(phi) dphi
};

// To first order in the change; a = 0. Bits do not depend on the processor.
Echo linear_echo(const Gauge& gauge, const Change& change);

// To all orders: closed forms where the activation is piecewise linear, but for one integral where d is not 0; else by
// quadrature, to about nine digits.
Echo echo(const model::Model& model, const Gauge& gauge, const Change& change);

} // namespace etastar::theory

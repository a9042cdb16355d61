#include "fields.hpp"

#include "quadrature.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

namespace etastar::theory {
namespace {

using std::numbers::pi;

double density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * pi); }
double below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

// Where sums over the sign of phi or phi' have kinks, and where the activation bends.
template <class Phi>
std::vector<Feature> features_of(const Phi& phi) {
    std::vector<Feature> features{{0, 1}};
    // The zero of phi', if there is one: those of the list that have one change their sign on (-3, 0).
    double low = -3;
    double high = 0;
    if (phi.slope(low) * phi.slope(high) < 0) {
        for (int i = 0; i < 60; ++i) {
            const double middle = (low + high) / 2;
            (phi.slope(middle) * phi.slope(high) < 0 ? low : high) = middle;
        }
        features.push_back({(low + high) / 2, 1});
    }
    return features;
}

template <class Phi>
bool odd(const Phi& phi) {
    return phi.value(-0.7) == -phi.value(0.7) && phi.value(-1.9) == -phi.value(1.9);
}

// phi = max(z, leak z), slopes 1 and leak. The sign of phi' below 0, and that of -phi, is `sign`: 0 for a leak of 0, but
// -1 where that is an asymptote from below.
struct Kink {
    double leak = 0;
    double sign = 0;
};

// A deviation of this variance is so large that gelu and silu are their asymptotes: they bend over 1e-10 of it.
constexpr double asymptotic = 1e20;

template <class Phi>
std::optional<Kink> kink_of(const Phi& phi, double k) {
    if constexpr (Phi::piecewise_linear) {
        return Kink{phi.negative_slope(), phi.negative_slope() > 0 ? 1.0 : 0.0};
    } else {
        const bool bounded = phi.value(100.0) < 50;
        return k > asymptotic && !bounded ? std::optional(Kink{0, -1}) : std::nullopt;
    }
}

Gauge piecewise_linear_gauge(double k, const Kink& shape) {
    const double leak = shape.leak;
    return {.k = k,
            .r = (1 + leak * leak) / 2,
            .e1 = (1 + leak) / 2,
            .e2 = (1 + leak * leak) / 2,
            .e3 = (1 + leak * leak * leak) / 2,
            .e4 = (1 + square(leak * leak)) / 2,
            .modulus = root_two_over_pi * (1 + leak) / 2,
            .nonzero = shape.sign == 0 ? 0.5 : 1};
}

// A neuron next to the kink of phi = max(z, leak z), z ~ N(0, 1): its z and t = |z + d| are on different sides of 0.
struct Flips {
    double t = 0;
    double tt = 0;
    double zt = 0; // E |z| t
    double gt = 0; // E g' t, for a neuron that comes from above
};

// d ~ N(0, deviation^2) of which `own` is g'.
Flips gaussian_flips(double own, double deviation) {
    if (deviation == 0) return {};
    const double theta = std::atan(deviation);
    const double k = kink(deviation, theta);
    const double square = deviation * deviation / (2 * pi);
    // E t: of a bivariate normal of angle theta.
    const double t =
        deviation * deviation / (1 + std::sqrt(1 + deviation * deviation)) / (2 * std::sqrt(2 * pi));
    return {t, square * (theta - k), square * k, -own * theta / (2 * pi)};
}

// d = s (jump + own |g'|) + other g'', s = sgn g'.
Flips signed_flips(double jump, double own, double other) {
    if (jump == 0) return gaussian_flips(own, std::hypot(own, other));
    Flips flips;
    // z = r x and t = r (1 - x) for a way r across, with all x in (0, 1): weights r dx dr.
    const auto add = [&](double r, double weight, double g) {
        const double end = r > 8 ? 8 / r : 1;
        static constexpr std::array<Feature, 1> none{{{0, 1e300}}};
        static const Rule unit = panels(0, 1, 0.5, none, Fineness::fine);
        double t = 0;
        double tt = 0;
        double zt = 0;
        for (std::size_t i = 0; i < unit.size(); ++i) {
            const double x = end * unit.nodes[i];
            const double f = end * unit.weights[i] * density(r * x);
            t += f * (1 - x);
            tt += f * (1 - x) * (1 - x);
            zt += f * x * (1 - x);
        }
        flips.t += weight * r * r * t;
        flips.tt += weight * r * r * r * tt;
        flips.zt += weight * r * r * r * zt;
        flips.gt += g * r * r * t;
    };
    const double spread = std::hypot(own, other);
    if (spread == 0) {
        add(jump, 0.5, -0.5 * root_two_over_pi);
        return flips;
    }
    // own |g'| + other g'' = spread y has the density 2 density(y) below(tilt y).
    const double edge = own > other ? spread * other / own : spread;
    const std::array<Feature, 2> features{{{jump, edge}, {0, spread}}};
    const Rule ways =
        panels(std::max(jump - 8 * spread, 0.0), jump + 8 * spread, 2 * spread, features, Fineness::fine);
    const auto at = [&](double d) { // density of d and, times it, E |g'|, for s = 1
        const double y = (d - jump) / spread;
        if (other == 0)
            return y > 0 ? std::array{2 * density(y) / spread, 2 * density(y) / spread * y}
                         : std::array{0.0, 0.0};
        const double tilted = y * own / other;
        const double part = below(tilted);
        return std::array{2 * density(y) / spread * part,
                          2 * density(y) / spread / spread * (own * y * part + other * density(tilted))};
    };
    for (std::size_t i = 0; i < ways.size(); ++i) {
        const double r = ways.nodes[i];
        const auto along = at(r);
        const auto against = at(-r);
        add(r, ways.weights[i] * (along[0] + against[0]) / 2, ways.weights[i] * (against[1] - along[1]) / 2);
    }
    return flips;
}

// With A = 1 + a, phi(z + dz) = A phi(z + d), d = (dz - a z) / A: only d moves neurons across the kink.
Echo piecewise_linear_echo(const Gauge& gauge, const Kink& shape, const Change& change) {
    const double leak = shape.leak;
    const double scale = 1 + change.a;
    const double jump = 1 - leak; // of phi' at the kink
    const double b = change.b / scale;
    const double c = change.c / scale;
    const double d = change.d / scale;
    const auto up = signed_flips(d, b, c);                                                   // from z > 0
    const auto down = shape.sign == 0 ? gaussian_flips(0, c) : signed_flips(d, b * leak, c); // from z < 0
    // Without flips dphi = phi' d; a flip adds jump t.
    const double h = jump * (up.zt - leak * down.zt);
    double m =
        square(b) * gauge.e4 + 2 * b * d * root_two_over_pi * gauge.e3 + (square(d) + square(c)) * gauge.e2;
    m += 2 * jump * (leak * (down.tt + down.zt) - (up.tt + up.zt)) + square(jump) * (up.tt + down.tt);
    const double p = b * gauge.e2 + d * root_two_over_pi * gauge.e1 + jump * (up.gt - shape.sign * down.gt);
    const double s = jump * (up.t - (shape.sign == 0 ? 0 : down.t));
    return {change.a * gauge.r + scale * h, square(scale) * (m - h * h / gauge.r), scale * p,
            change.a * gauge.modulus + scale * s};
}

// Nodes of Gauss-Hermite for a function that bends over lengths of 1, at a Gaussian of this deviation.
int order_for(double deviation) {
    struct Row {
        double deviation;
        int order;
    };
    static constexpr Row rows[] = {{0.01, 6}, {0.05, 8}, {0.15, 12}, {0.3, 18}, {0.6, 30}, {1.0, 48}};
    for (const auto& row : rows)
        if (deviation <= row.deviation) return row.order;
    return 0;
}

template <class Phi>
Echo smooth_echo(const Phi& phi, const Gauge& gauge, const Change& change) {
    // Powers of phi' bend within less than phi itself.
    static const auto bends = [&] {
        auto features = features_of(phi);
        for (auto& feature : features) feature.scale = 0.6;
        return features;
    }();
    const double unit = std::sqrt(gauge.k);
    const double b = change.b * unit;
    const double c = change.c * unit;
    const double d = change.d * unit;
    const bool even = odd(phi);
    const Rule outer = normal_panels(gauge.k, bends, Fineness::coarse, even);
    double h = 0, m = 0, p = 0, s = 0, q = 0; // of the change beyond a phi
    for (std::size_t i = 0; i < outer.size(); ++i) {
        const double z = outer.nodes[i];
        const double value = phi.value(z);
        const double slope = phi.slope(z);
        const double centre = z + change.a * z;
        const double own = b * std::abs(slope);
        const double spread = std::hypot(own, c);
        const double jump = slope == 0 ? 0 : d;
        double facts[Phi::facts];
        phi.study(z, facts);
        double mean = 0, square_mean = 0, with_g = 0;
        const auto add = [&](double move, double weight, double g) {
            const auto known = [&](std::size_t k) { return facts[k]; };
            const double moved = phi.change(known, change.a * z + move, 1.0, 1.0) - change.a * value;
            mean += weight * moved;
            square_mean += weight * moved * moved;
            with_g += g * moved;
        };
        if (jump == 0) {
            if (spread == 0) {
                add(0, 1, 0);
            } else if (const int order = order_for(spread); order != 0) {
                const auto& rule = hermite(order);
                for (std::size_t j = 0; j < rule.size(); ++j)
                    add(spread * rule.nodes[j], rule.weights[j],
                        rule.weights[j] * rule.nodes[j] * own / spread);
            } else {
                const std::array<Feature, 1> about{{{-centre / spread, 0.7 / spread}}};
                const Rule rule = normal_panels(1, about, Fineness::coarse);
                for (std::size_t j = 0; j < rule.size(); ++j)
                    add(spread * rule.nodes[j], rule.weights[j],
                        rule.weights[j] * rule.nodes[j] * own / spread);
            }
        } else if (spread == 0) {
            for (const double sign : {-1.0, 1.0}) add(sign * jump, 0.5, sign * 0.5 * root_two_over_pi);
        } else {
            // own |g'| + c g'' = spread y has the density 2 density(y) below(tilt y).
            const double tilt = own / c;
            const auto both = [&](double y, double weight) {
                const double part = c == 0 ? (y > 0 ? 1.0 : 0.0) : below(tilt * y);
                const double g = c == 0 ? y * part : (own * y * part + c * density(tilt * y)) / spread;
                for (const double sign : {-1.0, 1.0})
                    add(sign * (jump + spread * y), weight * part, weight * sign * g);
            };
            const int order = order_for(spread);
            if (order != 0 && tilt < 1) {
                const auto& rule = hermite(std::max(order, tilt < 0.3 ? 18 : 40));
                for (std::size_t j = 0; j < rule.size(); ++j) both(rule.nodes[j], rule.weights[j]);
            } else {
                const std::array<Feature, 3> about{{{-(centre + jump) / spread, 0.7 / spread},
                                                    {(centre - jump) / spread, 0.7 / spread},
                                                    {0, c == 0 ? 1.0 : std::min(1.0, 1 / tilt)}}};
                const Rule rule = normal_panels(1, about, Fineness::coarse);
                for (std::size_t j = 0; j < rule.size(); ++j) both(rule.nodes[j], rule.weights[j]);
            }
        }
        const double weight = outer.weights[i];
        h += weight * value * mean;
        m += weight * square_mean;
        p += weight * (slope < 0 ? -with_g : with_g);
        s += weight * (value > 0 ? mean : value < 0 ? -mean : 0);
        q += weight * value * value;
    }
    return {change.a * gauge.r + h / gauge.k, std::max(m - h * h / q, 0.0) / gauge.k, p / unit,
            change.a * gauge.modulus + s / unit};
}

} // namespace

Gauge gauge(const model::Model& model, double k) {
    return model::visit_activation(model, [&](auto phi) {
        if (const auto shape = kink_of(phi, k)) return piecewise_linear_gauge(k, *shape);
        static const auto bends = features_of(phi);
        constexpr double smallest = 1e-250; // below which phi is linear
        const double variance = std::max(k, smallest);
        const Rule rule = normal_panels(variance, bends, Fineness::fine, odd(phi));
        Gauge moments;
        moments.k = k;
        for (std::size_t i = 0; i < rule.size(); ++i) {
            const double value = std::abs(phi.value(rule.nodes[i]));
            const double slope = std::abs(phi.slope(rule.nodes[i]));
            const double weight = rule.weights[i];
            moments.r += weight * value * value;
            moments.modulus += weight * value;
            moments.e1 += weight * slope;
            moments.e2 += weight * slope * slope;
            moments.e3 += weight * slope * slope * slope;
            moments.e4 += weight * square(slope * slope);
        }
        moments.r /= variance;
        moments.modulus /= std::sqrt(variance);
        return moments;
    });
}

Echo linear_echo(const Gauge& g, const Change& x) {
    return {0,
            square(x.b) * g.e4 + 2 * x.b * x.d * root_two_over_pi * g.e3 + (square(x.d) + square(x.c)) * g.e2,
            x.b * g.e2 + x.d * root_two_over_pi * g.e1, 0};
}

Echo echo(const model::Model& model, const Gauge& gauge, const Change& change) {
    return model::visit_activation(model, [&](auto phi) {
        if (const auto shape = kink_of(phi, gauge.k)) return piecewise_linear_echo(gauge, *shape, change);
        return smooth_echo(phi, gauge, change);
    });
}

} // namespace etastar::theory

#pragma once

#include "etastar/model/model.hpp"
#include "etastar/model/random_network.hpp"
#include "etastar/random/normal.hpp"

#include "reference.hpp"

#include <cmath>
#include <vector>

// The conditional law of a Gaussian matrix's three products, in plain vectors: what the implicit engine fuses
// into sums.
namespace etastar::test {

// Factors on the terms of the law; all 1 is the law. Tests plant errors with them.
struct Terms {
    double forward_fresh = 1;    // W h: sqrt(s) ||h|| g
    double backward_along = 1;   // W^T delta: h (z.delta) / ||h||^2
    double backward_fresh = 1;   //            sqrt(s) ||delta|| g'
    double backward_project = 1; //            minus its part along h
    double product_forward = 1;  // W w: z (h.w) / ||h||^2
    double product_backward = 1; //      delta (u_perp . w) / ||delta||^2
    double product_fresh = 1;    //      sqrt(s) ||w_perp|| g''
    double product_project = 1;  //      minus its part along delta
};

inline double over(double a, double b) { return b > 0 ? a / b : 0.0; }

inline Vector combine(double a, const Vector& x, double b, const Vector& y) {
    Vector sum(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) sum[i] = a * x[i] + b * y[i];
    return sum;
}

// A matrix of independent N(0, s) entries that exists only through its answers. Ask in this order.
class ConditionalMatrix {
public:
    ConditionalMatrix(double s, const Terms& terms) : s_(s), terms_(terms) {}

    // W h with fresh g.
    Vector forward(const Vector& h, const Vector& g) {
        h_ = h;
        z_ = combine(terms_.forward_fresh * std::sqrt(s_ * dot(h, h)), g, 0, g);
        return z_;
    }
    // W^T delta with fresh g'.
    Vector backward(const Vector& delta, const Vector& g) {
        delta_ = delta;
        const double h2 = dot(h_, h_);
        const Vector rest = combine(1, g, -terms_.backward_project * over(dot(h_, g), h2), h_);
        u_ = combine(terms_.backward_along * over(dot(z_, delta), h2), h_,
                     terms_.backward_fresh * std::sqrt(s_ * dot(delta, delta)), rest);
        return u_;
    }
    // W w with fresh g''; a sign of -1 makes it -(W (-w)) of sign +1.
    Vector product(const Vector& w, const Vector& g, double sign = 1) const {
        const double h2 = dot(h_, h_);
        const double d2 = dot(delta_, delta_);
        const Vector w_perp = combine(1, w, -over(dot(h_, w), h2), h_);
        const Vector u_perp = combine(1, u_, -over(dot(h_, u_), h2), h_);
        const Vector rest = combine(1, g, -terms_.product_project * over(dot(delta_, g), d2), delta_);
        const Vector known = combine(terms_.product_forward * over(dot(h_, w), h2), z_,
                                     terms_.product_backward * over(dot(u_perp, w), d2), delta_);
        return combine(1, known, sign * terms_.product_fresh * std::sqrt(s_ * dot(w_perp, w_perp)), rest);
    }

private:
    double s_;
    Terms terms_;
    Vector h_, z_, delta_, u_;
};

// A whole trial on such matrices, with the variates of the implicit engine.
struct ConditionalNetwork {
    model::RandomNetwork network;
    std::vector<ConditionalMatrix> matrices;
    std::vector<Vector> z, h, delta;
    Vector readout;
    double input2, output, target;

    explicit ConditionalNetwork(const model::RandomNetwork& which)
        : network(which), input2(which.input_dim()), target(which.target()) {
        const std::uint32_t depth = network.depth();
        const double n = network.width();
        for (std::uint32_t layer = 1; layer <= depth; ++layer) {
            matrices.emplace_back(2.0 / network.columns(layer), Terms{});
            const Vector x = layer == 1 ? Vector(network.input_dim(), 1.0) : h.back();
            z.push_back(matrices.back().forward(x, variates(random::Role::forward, layer)));
            h.push_back(relu(z.back()));
        }
        readout = combine(1 / n, variates(random::Role::backward, depth), 0, z[0]);
        output = dot(readout, h.back());
        delta.resize(depth);
        Vector u = readout;
        for (std::uint32_t layer = depth; layer >= 1; --layer) {
            delta[layer - 1] = masked(u, z[layer - 1]);
            if (layer > 1)
                u = matrices[layer - 1].backward(delta[layer - 1],
                                                 variates(random::Role::backward, layer - 1));
        }
    }

    // Learning rate of W^{l + 1} over the base rate.
    double rate(std::size_t l) const {
        return l == 0 ? network.laws().first.rate : network.laws().hidden.rate;
    }

    Vector variates(random::Role role, std::uint32_t layer) const {
        std::vector<float> values(network.width());
        random::fill_normal(network.stream(role, layer), 0, values.size(), 1.0f, values.data());
        return Vector(values.begin(), values.end());
    }

    struct Step {
        Vector changes; // ||dz^l||^2 / n; for the linear response G_l
        double output_after = 0;
    };

    // eta = 0: the linear response.
    Step step(double eta) const {
        const double n = network.width();
        const double gain = eta == 0 ? 1 : -eta * (output - target);
        Step result;
        Vector dh;
        for (std::size_t l = 0; l < z.size(); ++l) {
            const double q = l == 0 ? input2 : dot(h[l - 1], h[l - 1]);
            const double feedback = l == 0 || eta == 0 ? 0 : dot(h[l - 1], dh);
            const double source = gain * rate(l) * (q + feedback);
            Vector dz = l == 0 ? Vector(z[l].size(), 0.0)
                               : matrices[l].product(
                                   dh, variates(random::Role::change, static_cast<std::uint32_t>(l + 1)),
                                   gain < 0 ? -1.0 : 1.0);
            dz = combine(1, dz, source, delta[l]);
            result.changes.push_back(dot(dz, dz) / n);
            dh = eta == 0 ? masked(dz, z[l]) : combine(1, relu(combine(1, z[l], 1, dz)), -1, h[l]);
        }
        result.output_after =
            output + dot(readout, dh)
            + gain * network.laws().readout.rate * (dot(h.back(), h.back()) + dot(h.back(), dh));
        return result;
    }

    double tangent_kernel() const {
        double theta = network.laws().readout.rate * dot(h.back(), h.back());
        for (std::size_t l = 0; l < z.size(); ++l)
            theta += rate(l) * (l == 0 ? input2 : dot(h[l - 1], h[l - 1])) * dot(delta[l], delta[l]);
        return theta;
    }
};

} // namespace etastar::test

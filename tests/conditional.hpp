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
    model::Model model;
    PlainActivation phi;
    std::vector<ConditionalMatrix> matrices;
    std::vector<Vector> z, h, p; // p: df/dz
    Vector input, readout;
    double output, target;

    ConditionalNetwork(const model::RandomNetwork& which, const model::Model& its_model)
        : network(which),
          model(its_model),
          phi(plain_activation(its_model)),
          input(which.input_dim(), 1.0),
          target(which.target()) {
        const std::uint32_t depth = network.depth();
        const double n = network.width();
        for (std::uint32_t layer = 1; layer <= depth; ++layer) {
            const auto& law = network.laws()[layer];
            matrices.emplace_back(law.variance(), Terms{});
            const Vector answer =
                matrices.back().forward(below(layer - 1), variates(random::Role::forward, layer));
            z.push_back(combine(law.block.branch, answer, law.block.skip, layer == 1 ? answer : z.back()));
            h.push_back(phi.values(z.back()));
        }
        readout = combine(1 / n, variates(random::Role::backward, depth), 0, z[0]);
        output = dot(readout, h.back());
        p.resize(depth);
        Vector u = readout; // df/dh
        for (std::uint32_t layer = depth; layer >= 1; --layer) {
            const auto& block = network.laws()[layer].block;
            p[layer - 1] = phi.pull_back(z[layer - 1], u);
            if (layer < depth)
                p[layer - 1] = combine(1, p[layer - 1], network.laws().hidden.block.skip, p[layer]);
            if (layer > 1)
                u = combine(
                    block.branch,
                    matrices[layer - 1].backward(p[layer - 1], variates(random::Role::backward, layer - 1)),
                    0, u);
        }
    }

    // h^l.
    const Vector& below(std::size_t l) const { return l == 0 ? input : h[l - 1]; }

    Vector variates(random::Role role, std::uint32_t layer) const {
        std::vector<float> values(network.width());
        random::fill_normal(network.stream(role, layer), 0, values.size(), 1.0f, values.data());
        return Vector(values.begin(), values.end());
    }

    // d(x) of the optimizer, and its factor for a gradient of these two lengths.
    Vector direction(Vector x) const {
        if (name_of(model.optimizer) == "sign")
            for (double& each : x) each = (each > 0) - (each < 0);
        return x;
    }
    double weight(const Vector& u, const Vector& w) const {
        return name_of(model.optimizer) == "normalized" ? over(1, std::sqrt(dot(u, u) * dot(w, w))) : 1;
    }

    struct Step {
        Vector changes; // ||dz^l||^2 / n; for the linear response G_l
        double output_after = 0;
    };

    // eta = 0: the linear response.
    Step step(double eta) const {
        const double n = network.width();
        const double r = output - target;
        const double error = name_of(model.optimizer) == "sgd" ? r : (r > 0 ? 1 : -1);
        const double gain = eta == 0 ? 1 : -eta * error;
        const Vector one{1};
        Step result;
        Vector dz, dh;
        for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
            const auto& law = network.laws()[layer];
            const Vector& w = below(layer - 1);
            const Vector u = combine(law.block.branch, p[layer - 1], 0, p[layer - 1]);
            const double feedback = layer == 1 || eta == 0 ? 0 : dot(direction(w), dh);
            const double source = gain
                                  * (law.rate * weight(u, w) * (dot(direction(w), w) + feedback)
                                     + law.bias_rate * weight(u, one));
            Vector branch = combine(source, direction(u), 0, u);
            if (layer > 1)
                branch = combine(1, branch, 1,
                                 matrices[layer - 1].product(dh, variates(random::Role::change, layer),
                                                             gain < 0 ? -1.0 : 1.0));
            dz = combine(law.block.branch, branch, law.block.skip, layer == 1 ? branch : dz);
            result.changes.push_back(dot(dz, dz) / n);
            const Vector& at = z[layer - 1];
            dh = eta == 0 ? phi.pull_back(at, dz)
                          : combine(1, phi.values(combine(1, at, 1, dz)), -1, h[layer - 1]);
        }
        const Vector& top = h.back();
        result.output_after = output + dot(readout, dh)
                              + gain * network.laws().readout.rate * weight(one, top)
                                    * (dot(direction(top), top) + (eta == 0 ? 0 : dot(direction(top), dh)));
        return result;
    }

    double tangent_kernel() const {
        const Vector one{1};
        const Vector& top = h.back();
        double theta = network.laws().readout.rate * weight(one, top) * dot(direction(top), top);
        for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
            const auto& law = network.laws()[layer];
            const Vector& w = below(layer - 1);
            const Vector u = combine(law.block.branch, p[layer - 1], 0, p[layer - 1]);
            theta += dot(direction(u), u)
                     * (law.rate * weight(u, w) * dot(direction(w), w) + law.bias_rate * weight(u, one));
        }
        return theta;
    }
};

} // namespace etastar::test

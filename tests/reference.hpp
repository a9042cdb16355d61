#pragma once

#include "etastar/model/model.hpp"
#include "etastar/model/random_network.hpp"

#include <cmath>
#include <vector>

// A network in double precision with every matrix formed and every update added to it: slow, plain, and
// independent of the engines.
namespace etastar::test {

using Vector = std::vector<double>;

struct Matrix {
    std::size_t rows = 0;
    std::size_t cols = 0;
    Vector values;

    double& at(std::size_t i, std::size_t j) { return values[i * cols + j]; }
    double at(std::size_t i, std::size_t j) const { return values[i * cols + j]; }

    Vector times(const Vector& x) const {
        Vector y(rows, 0.0);
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < cols; ++j) y[i] += at(i, j) * x[j];
        return y;
    }
    Vector transposed_times(const Vector& x) const {
        Vector y(cols, 0.0);
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < cols; ++j) y[j] += at(i, j) * x[i];
        return y;
    }
};

inline double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

inline Vector relu(Vector z) {
    for (double& value : z) value = value > 0 ? value : 0;
    return z;
}

inline Vector masked(Vector u, const Vector& z) {
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = z[i] > 0 ? u[i] : 0;
    return u;
}

// What the reference asks of an activation phi: phi(z), and phi'(z) u elementwise.
struct PlainRelu {
    static Vector value(const Vector& z) { return relu(z); }
    static Vector pull_back(const Vector& z, const Vector& u) { return masked(u, z); }
};

template <class Activation = PlainRelu>
struct ExplicitNetwork {
    model::LayerLaws laws;
    Vector x;
    double y = 0;
    std::vector<Matrix> weights; // W^l at l - 1
    Vector readout;

    explicit ExplicitNetwork(const model::RandomNetwork& network)
        : laws(network.laws()), x(network.input_dim()), y(network.target()) {
        std::vector<float> part(network.input_dim());
        network.input(part);
        x.assign(part.begin(), part.end());
        for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
            part.resize(std::size_t{network.width()} * network.columns(layer));
            network.weight_rows(layer, 0, network.width(), part.data());
            weights.push_back({network.width(), network.columns(layer), Vector(part.begin(), part.end())});
        }
        part.resize(network.width());
        network.readout(part);
        readout.assign(part.begin(), part.end());
    }

    // Learning rate of W^{l + 1} over the base rate.
    double rate(std::size_t l) const { return l == 0 ? laws.first.rate : laws.hidden.rate; }

    std::vector<Vector> preactivations() const {
        std::vector<Vector> z;
        Vector h = x;
        for (const auto& w : weights) {
            z.push_back(w.times(h));
            h = Activation::value(z.back());
        }
        return z;
    }

    double output() const { return dot(readout, Activation::value(preactivations().back())); }
    double loss() const { return std::pow(output() - y, 2) / 2; }

    // delta^l = df/dz^l at l - 1.
    std::vector<Vector> gradients() const {
        const auto z = preactivations();
        std::vector<Vector> delta(z.size());
        Vector u = readout;
        for (std::size_t l = z.size(); l-- > 0;) {
            delta[l] = Activation::pull_back(z[l], u);
            u = weights[l].transposed_times(delta[l]);
        }
        return delta;
    }

    // The network after one step of gradient descent with base rate eta.
    ExplicitNetwork stepped(double eta) const {
        ExplicitNetwork next = *this;
        const auto z = preactivations();
        const auto delta = gradients();
        const double error = dot(readout, Activation::value(z.back())) - y;
        for (std::size_t l = 0; l < weights.size(); ++l) {
            const Vector h = l == 0 ? x : Activation::value(z[l - 1]);
            const double step = eta * rate(l);
            for (std::size_t i = 0; i < weights[l].rows; ++i)
                for (std::size_t j = 0; j < weights[l].cols; ++j)
                    next.weights[l].at(i, j) -= step * error * delta[l][i] * h[j];
        }
        const Vector h = Activation::value(z.back());
        for (std::size_t i = 0; i < h.size(); ++i) next.readout[i] -= eta * laws.readout.rate * error * h[i];
        return next;
    }

    // G_l at l - 1, from s^l itself.
    Vector responses() const {
        const auto z = preactivations();
        const auto delta = gradients();
        Vector g;
        Vector s;
        for (std::size_t l = 0; l < z.size(); ++l) {
            const Vector h = l == 0 ? x : Activation::value(z[l - 1]);
            const double own = rate(l) * dot(h, h);
            Vector next =
                l == 0 ? Vector(z[l].size(), 0.0) : weights[l].times(Activation::pull_back(z[l - 1], s));
            for (std::size_t i = 0; i < next.size(); ++i) next[i] += own * delta[l][i];
            s = next;
            g.push_back(dot(s, s) / static_cast<double>(s.size()));
        }
        return g;
    }

    // Theta.
    double tangent_kernel() const {
        const auto z = preactivations();
        const auto delta = gradients();
        double theta = laws.readout.rate * dot(Activation::value(z.back()), Activation::value(z.back()));
        for (std::size_t l = 0; l < z.size(); ++l) {
            const Vector h = l == 0 ? x : Activation::value(z[l - 1]);
            theta += rate(l) * dot(h, h) * dot(delta[l], delta[l]);
        }
        return theta;
    }
};

// ||dz^l||^2 / n at l - 1, by subtraction of two forward passes.
template <class Activation>
Vector squared_changes(const ExplicitNetwork<Activation>& before, const ExplicitNetwork<Activation>& after) {
    const auto a = before.preactivations();
    const auto b = after.preactivations();
    Vector changes;
    for (std::size_t l = 0; l < a.size(); ++l) {
        double sum = 0;
        for (std::size_t i = 0; i < a[l].size(); ++i) sum += std::pow(b[l][i] - a[l][i], 2);
        changes.push_back(sum / static_cast<double>(a[l].size()));
    }
    return changes;
}

} // namespace etastar::test

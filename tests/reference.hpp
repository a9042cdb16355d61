#pragma once

#include "etastar/network/network.hpp"
#include "etastar/network/rates.hpp"

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

struct ExplicitNetwork {
    Vector x;
    double y = 0;
    std::vector<Matrix> weights; // W^l at l - 1
    Vector readout;

    explicit ExplicitNetwork(const network::Network& network) : x(network.input_dim()), y(network.target()) {
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

    std::vector<Vector> preactivations() const {
        std::vector<Vector> z;
        Vector h = x;
        for (const auto& w : weights) {
            z.push_back(w.times(h));
            h = relu(z.back());
        }
        return z;
    }

    double output() const { return dot(readout, relu(preactivations().back())); }
    double loss() const { return std::pow(output() - y, 2) / 2; }

    // delta^l = df/dz^l at l - 1.
    std::vector<Vector> gradients() const {
        const auto z = preactivations();
        std::vector<Vector> delta(z.size());
        Vector u = readout;
        for (std::size_t l = z.size(); l-- > 0;) {
            delta[l] = masked(u, z[l]);
            u = weights[l].transposed_times(delta[l]);
        }
        return delta;
    }

    // The network after one step of gradient descent with base rate eta.
    ExplicitNetwork stepped(double eta, const network::Multipliers& m) const {
        ExplicitNetwork next = *this;
        const auto z = preactivations();
        const auto delta = gradients();
        const double error = dot(readout, relu(z.back())) - y;
        for (std::size_t l = 0; l < weights.size(); ++l) {
            const Vector h = l == 0 ? x : relu(z[l - 1]);
            const double rate = eta * (l == 0 ? m.first : m.hidden);
            for (std::size_t i = 0; i < weights[l].rows; ++i)
                for (std::size_t j = 0; j < weights[l].cols; ++j)
                    next.weights[l].at(i, j) -= rate * error * delta[l][i] * h[j];
        }
        const Vector h = relu(z.back());
        for (std::size_t i = 0; i < h.size(); ++i) next.readout[i] -= eta * m.last * error * h[i];
        return next;
    }

    // G_l at l - 1, from s^l itself.
    Vector responses(const network::Multipliers& m) const {
        const auto z = preactivations();
        const auto delta = gradients();
        Vector g;
        Vector s;
        for (std::size_t l = 0; l < z.size(); ++l) {
            const Vector h = l == 0 ? x : relu(z[l - 1]);
            const double own = (l == 0 ? m.first : m.hidden) * dot(h, h);
            Vector next = l == 0 ? Vector(z[l].size(), 0.0) : weights[l].times(masked(s, z[l - 1]));
            for (std::size_t i = 0; i < next.size(); ++i) next[i] += own * delta[l][i];
            s = next;
            g.push_back(dot(s, s) / static_cast<double>(s.size()));
        }
        return g;
    }

    // Theta.
    double tangent_kernel(const network::Multipliers& m) const {
        const auto z = preactivations();
        const auto delta = gradients();
        double theta = m.last * dot(relu(z.back()), relu(z.back()));
        for (std::size_t l = 0; l < z.size(); ++l) {
            const Vector h = l == 0 ? x : relu(z[l - 1]);
            theta += (l == 0 ? m.first : m.hidden) * dot(h, h) * dot(delta[l], delta[l]);
        }
        return theta;
    }
};

// ||dz^l||^2 / n at l - 1, by subtraction of two forward passes.
inline Vector squared_changes(const ExplicitNetwork& before, const ExplicitNetwork& after) {
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

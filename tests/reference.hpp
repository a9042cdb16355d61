#pragma once

#include "etastar/model/model.hpp"
#include "etastar/model/random_network.hpp"

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
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

// phi and phi' by textbook formulas.
struct PlainActivation {
    std::function<double(double)> value;
    std::function<double(double)> slope;

    Vector values(Vector z) const {
        for (double& each : z) each = value(each);
        return z;
    }
    // phi'(z) u
    Vector pull_back(const Vector& z, Vector u) const {
        for (std::size_t i = 0; i < u.size(); ++i) u[i] *= slope(z[i]);
        return u;
    }
};

inline PlainActivation plain_activation(const model::Model& model) {
    const auto name = name_of(model.activation);
    const double pi = std::acos(-1.0);
    if (name == "relu" || name == "leaky-relu" || name == "linear") {
        const double below = name == "relu" ? 0 : name == "linear" ? 1 : model.leak;
        return {[=](double z) { return z > 0 ? z : below * z; }, [=](double z) { return z > 0 ? 1 : below; }};
    }
    if (name == "tanh")
        return {[](double z) { return std::tanh(z); }, [](double z) { return std::pow(std::cosh(z), -2); }};
    if (name == "erf")
        return {[=](double z) { return std::erf(std::sqrt(pi) / 2 * z); },
                [=](double z) { return std::exp(-pi / 4 * z * z); }};
    if (name == "gelu")
        return {[](double z) { return z * std::erfc(-z / std::sqrt(2.0)) / 2; },
                [=](double z) {
                    return std::erfc(-z / std::sqrt(2.0)) / 2 + z * std::exp(-z * z / 2) / std::sqrt(2 * pi);
                }};
    if (name == "silu")
        return {[](double z) { return z / (1 + std::exp(-z)); },
                [](double z) {
                    const double s = 1 / (1 + std::exp(-z));
                    return s + z * s * (1 - s);
                }};
    throw std::logic_error("no plain formula for " + std::string(name));
}

struct ExplicitNetwork {
    model::Model model;
    model::LayerLaws laws;
    PlainActivation phi;
    Vector x;
    double y = 0;
    std::vector<Matrix> weights; // W^l at l - 1
    std::vector<Vector> biases;  // b^l at l - 1
    Vector readout;

    ExplicitNetwork(const model::RandomNetwork& network, const model::Model& its_model)
        : ExplicitNetwork(network, its_model, plain_activation(its_model)) {}
    ExplicitNetwork(const model::RandomNetwork& network, const model::Model& its_model,
                    PlainActivation activation)
        : model(its_model),
          laws(network.laws()),
          phi(std::move(activation)),
          x(network.input_dim()),
          y(network.target()) {
        std::vector<float> part(network.input_dim());
        network.input(part);
        x.assign(part.begin(), part.end());
        for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
            part.resize(std::size_t{network.width()} * network.columns(layer));
            network.weight_rows(layer, 0, network.width(), part.data());
            weights.push_back({network.width(), network.columns(layer), Vector(part.begin(), part.end())});
            biases.emplace_back(network.width(), 0.0);
        }
        part.resize(network.width());
        network.readout(part);
        readout.assign(part.begin(), part.end());
    }

    // Laws of layer l + 1.
    const model::LayerLaw& law(std::size_t l) const { return l == 0 ? laws.first : laws.hidden; }
    double tau(std::size_t l) const { return law(l).block.branch; }
    double skip(std::size_t l) const { return law(l).block.skip; }

    std::vector<Vector> preactivations() const {
        std::vector<Vector> z;
        Vector h = x;
        for (std::size_t l = 0; l < weights.size(); ++l) {
            Vector next = weights[l].times(h);
            for (std::size_t i = 0; i < next.size(); ++i)
                next[i] = (l == 0 ? 0 : skip(l) * z.back()[i]) + tau(l) * (next[i] + biases[l][i]);
            z.push_back(next);
            h = phi.values(next);
        }
        return z;
    }

    double output() const { return dot(readout, phi.values(preactivations().back())); }
    double loss() const { return std::pow(output() - y, 2) / 2; }

    // df/dz^l at l - 1.
    std::vector<Vector> gradients() const {
        const auto z = preactivations();
        std::vector<Vector> p(z.size());
        Vector u = readout;
        for (std::size_t l = z.size(); l-- > 0;) {
            p[l] = phi.pull_back(z[l], u);
            if (l + 1 < z.size())
                for (std::size_t i = 0; i < p[l].size(); ++i) p[l][i] += skip(l + 1) * p[l + 1][i];
            u = weights[l].transposed_times(p[l]);
            for (double& each : u) each *= tau(l);
        }
        return p;
    }

    // The gradient of f by W^l, b^l and v, at l - 1, l - 1.
    struct Gradient {
        std::vector<Matrix> weights;
        std::vector<Vector> biases;
        Vector readout;
    };
    Gradient gradient() const {
        const auto z = preactivations();
        const auto p = gradients();
        Gradient g;
        for (std::size_t l = 0; l < weights.size(); ++l) {
            const Vector h = l == 0 ? x : phi.values(z[l - 1]);
            Matrix matrix{weights[l].rows, weights[l].cols, Vector(weights[l].values.size())};
            Vector bias(matrix.rows);
            for (std::size_t i = 0; i < matrix.rows; ++i) {
                bias[i] = tau(l) * p[l][i];
                for (std::size_t j = 0; j < matrix.cols; ++j) matrix.at(i, j) = tau(l) * p[l][i] * h[j];
            }
            g.weights.push_back(std::move(matrix));
            g.biases.push_back(std::move(bias));
        }
        g.readout = phi.values(z.back());
        return g;
    }

    // What the optimizer makes of error times the gradient of one array of parameters, with a learning rate of 1.
    Vector step_of(Vector g, double error) const {
        const auto name = name_of(model.optimizer);
        const double length = std::sqrt(dot(g, g));
        for (double& each : g) {
            each *= error;
            if (name == "sign") each = (each > 0) - (each < 0);
            if (name == "normalized") each = over(each, length * std::abs(error));
        }
        return g;
    }
    static double over(double a, double b) { return b > 0 ? a / b : 0.0; }

    // The network after one step with base rate eta. Where the error is given, it takes the place of f - y.
    ExplicitNetwork stepped(double eta) const { return stepped(eta, output() - y); }
    ExplicitNetwork stepped(double eta, double error) const {
        ExplicitNetwork next = *this;
        const auto move = [&](Vector& parameters, const Vector& g, double rate) {
            const Vector step = step_of(g, error);
            for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= eta * rate * step[i];
        };
        const auto g = gradient();
        for (std::size_t l = 0; l < weights.size(); ++l) {
            move(next.weights[l].values, g.weights[l].values, law(l).rate);
            move(next.biases[l], g.biases[l], law(l).bias_rate);
        }
        move(next.readout, g.readout, laws.readout.rate);
        return next;
    }

    // G_l at l - 1, from the linearised network: the step with error -1, whose first order is s^l.
    Vector responses() const {
        const auto z = preactivations();
        const auto g = gradient();
        Vector result;
        Vector s;
        for (std::size_t l = 0; l < z.size(); ++l) {
            const Vector h = l == 0 ? x : phi.values(z[l - 1]);
            Matrix update{weights[l].rows, weights[l].cols, step_of(g.weights[l].values, 1)};
            const Vector bias = step_of(g.biases[l], 1);
            const Vector own = update.times(h);
            Vector next = l == 0 ? Vector(z[l].size(), 0.0) : weights[l].times(phi.pull_back(z[l - 1], s));
            for (std::size_t i = 0; i < next.size(); ++i)
                next[i] = (l == 0 ? 0 : skip(l) * s[i])
                          + tau(l) * (next[i] + law(l).rate * own[i] + law(l).bias_rate * bias[i]);
            s = next;
            result.push_back(dot(s, s) / static_cast<double>(s.size()));
        }
        return result;
    }

    // Theta: the gradient times the step.
    double tangent_kernel() const {
        const auto g = gradient();
        double theta = laws.readout.rate * dot(g.readout, step_of(g.readout, 1));
        for (std::size_t l = 0; l < weights.size(); ++l)
            theta += law(l).rate * dot(g.weights[l].values, step_of(g.weights[l].values, 1))
                     + law(l).bias_rate * dot(g.biases[l], step_of(g.biases[l], 1));
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

#include "etastar/theory/moments.hpp"

#include "etastar/theory/residual.hpp"

#include "../floating.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::theory {
namespace {

// phi'(z) at z < 0, 1 at z > 0; absent where phi is not piecewise linear.
std::optional<double> leak_of(const model::Model& model) {
    return model::visit_activation(model, [](auto phi) -> std::optional<double> {
        if constexpr (decltype(phi)::piecewise_linear)
            return phi.negative_slope();
        else
            return std::nullopt;
    });
}

// Notation. s^l = M^l delta^l with M^1 = (c1 + m_b) I, M^l = W^l B^{l-1} (W^l)^T + (w q^{l-1} + m_b) I, B^l = D^l M^l D^l,
// where c1 = ||x||^2 times the first layer's multiplier, w the hidden layers' multiplier, m_b that of biases,
// q^l = ||h^l||^2. The slopes D^l are in law independent fair coins of 1 and leak, so expectations over one layer only need,
// with s the weights' variance,
//
//     alpha = E (tr B)^2   beta = E tr B^2   gamma = E q tr B   rho = E h^T B h   kappa = E q^2   and E tr B, E q.
Responses plain_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    const auto laws = model::layer_laws(model, width, depth);
    const double leak = leak_of(model).value_or(std::nan(""));
    const double n = width;
    const double s2 = laws.hidden.gain;
    const double s = laws.hidden.variance();
    const double w = laws.hidden.rate;
    const double bias = laws.hidden.bias_rate;
    const double leak2 = leak * leak;
    const double e2 = (1 + leak2) / 2;                // E D_i^2
    const double one = n * ((1 + leak2 * leak2) / 2); // sum of E D_i^4
    const double pair = n * (n - 1) * (e2 * e2);      // sum of E D_i^2 D_j^2 over i != j

    // Once a layer of a ReLU network is dead, so are those above it, and nothing of it moves, while the coins go on. Every
    // moment has a coin of the layer below but that of the biases alone: it counts where no layer has died so far.
    const double death = leak == 0 ? std::ldexp(1.0, -static_cast<int>(std::min(width, 2000u))) : 0;
    double alive = 1;

    const double c = model.input_dim * laws.first.rate + laws.first.bias_rate;
    double alpha = c * c * (one + pair);
    double beta = c * c * one;
    double gamma = c * s2 * (one + pair);
    double rho = c * s2 * one;
    double kappa = s2 * s2 * (3 * one + pair);
    double trace = c * (n * e2);
    double q = s2 * (n * e2);

    Responses response;
    response.hidden.reserve(depth);
    response.hidden.push_back(c * c * n);
    for (std::uint32_t layer = 2; layer <= depth; ++layer) {
        alive *= 1 - death;
        const double mixed =
            2 * s * w * gamma + w * w * kappa + bias * (2 * (s * trace + w * q) + bias * alive);
        const double m2 = s * s * (alpha + 2 * beta) + mixed;                     // E M_ii^2
        const double mm = s * s * alpha + mixed;                                  // E M_ii M_jj
        const double off = s * s * beta;                                          // E M_ij^2
        const double zm = s * s * (gamma + 2 * rho) + s * (w * kappa + bias * q); // E z_i^2 M_ii
        const double zm_off = s * s * gamma + s * (w * kappa + bias * q);         // E z_i^2 M_jj
        // Every moment is a sum of non-negative terms.
        response.hidden.push_back(n * m2 + n * (n - 1) * off);
        alpha = one * m2 + pair * mm;
        beta = one * m2 + pair * off;
        gamma = one * zm + pair * zm_off;
        rho = one * zm + pair * s * s * rho;
        kappa = (3 * one + pair) * s * s * kappa;
        trace = n * e2 * (s * trace + w * q + bias * alive);
        q = n * e2 * s * q;
    }
    // Above layer l everything is independent of M^l: E G_l = E (delta_i)^2 E tr (M^l)^2 / n.
    double delta2 = e2 / (n * n);
    for (std::size_t l = depth; l-- > 0;) {
        response.hidden[l] = infinite_if_nan(response.hidden[l] * delta2 / n);
        delta2 *= s2 * e2;
    }
    // Theta = v^T B^L v + m_v q^L with v ~ N(0, I/n^2) independent of both.
    const double v = laws.readout.rate;
    response.output =
        infinite_if_nan((alpha + 2 * beta) / (n * n * n * n) + 2 * v * gamma / (n * n) + v * v * kappa);
    return response;
}

// Streams of a linear activation: z^l = A z^{l-1}, A = I + tau W^l, whose entries have the variance sigma^2 about those of I.
// s^l = M^l P^l with M^l = X + c I, X = A M^{l-1} A^T, c = tau^2 (w q + m_b), where q = ||z^{l-1}||^2. The moments are those
// above with M for B and z for h.
Responses stream_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    const auto laws = model::layer_laws(model, width, depth);
    const double n = width;
    const double s2 = laws.hidden.gain;
    const double tau2 = laws.hidden.block.branch * laws.hidden.block.branch;
    const double w = tau2 * laws.hidden.rate;
    const double bias = tau2 * laws.hidden.bias_rate;
    const double v = tau2 * laws.hidden.variance(); // sigma^2
    const double growth = 1 + n * v;

    const double first = model.input_dim * laws.first.rate + laws.first.bias_rate;
    double alpha = first * first * n * n;
    double beta = first * first * n;
    double gamma = first * s2 * n * n;
    double rho = first * s2 * n;
    double kappa = s2 * s2 * n * (n + 2);
    double trace = first * n;
    double q = s2 * n;

    Responses response;
    response.hidden.reserve(depth);
    response.hidden.push_back(beta);
    for (std::uint32_t layer = 2; layer <= depth; ++layer) {
        const double x = growth * trace;
        const double c_x = growth * (w * gamma + bias * trace);                      // E c tr X
        const double c_q = growth * (w * kappa + bias * q);                          // E c q of this layer
        const double c2 = w * w * kappa + bias * (2 * w * q + bias);                 // E c^2
        const double x_alpha = growth * growth * alpha + v * (4 + 2 * n * v) * beta; // E (tr X)^2
        const double x_beta =
            (1 + v * (2 * (n + 1) + n * (n + 1) * v)) * beta + v * (2 + n * v) * alpha; // E tr X^2
        const double x_gamma = growth * growth * gamma + v * (4 + 2 * n * v) * rho;     // E q tr X
        const double x_rho = (1 + v * (2 * (n + 1) + n * (n + 1) * v)) * rho + v * (2 + n * v) * gamma;
        alpha = x_alpha + 2 * n * c_x + n * n * c2;
        beta = x_beta + 2 * c_x + n * c2;
        gamma = x_gamma + n * c_q;
        rho = x_rho + c_q;
        trace = x + n * (w * q + bias);
        kappa *= 1 + v * (2 * n + 4 + n * (n + 2) * v);
        q *= growth;
        response.hidden.push_back(beta);
    }
    double p2 = 1 / (n * n); // E (P_i)^2, of a layer independent of its M
    for (std::size_t l = depth; l-- > 0;) {
        response.hidden[l] = infinite_if_nan(response.hidden[l] * p2 / n);
        p2 *= growth;
    }
    const double readout = laws.readout.rate;
    response.output = infinite_if_nan((alpha + 2 * beta) / (n * n * n * n) + 2 * readout * gamma / (n * n)
                                      + readout * readout * kappa);
    return response;
}

bool is_linear_stream(const model::Model& model) {
    return model.architecture
               == model::architecture_of<
                   model::Residual> && model.activation == model::activation_of<model::Linear>;
}

} // namespace

Responses exact_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    return is_linear_stream(model) ? stream_responses(model, width, depth)
                                   : plain_responses(model, width, depth);
}

bool ExactMoments::covers(const model::Model& model) const {
    const bool plain = model.architecture == model::architecture_of<model::Mlp> && leak_of(model).has_value();
    return model.optimizer == model::optimizer_of<model::Sgd> && (plain || is_linear_stream(model));
}

std::optional<double> ExactMoments::response(const model::Model& model, std::uint32_t width,
                                             std::uint32_t depth, Layer layer) const {
    if (layer == Layer::max) return std::nullopt;
    return exact_responses(model, width, depth).of(layer);
}

// The same at every width.
std::optional<double> ExactMoments::size(const model::Model& model, std::uint32_t /*width*/,
                                         std::uint32_t depth, Layer layer) const {
    if (layer == Layer::output || layer == Layer::max) return std::nullopt;
    if (is_linear_stream(model)) return ResidualStream().size(model, 1, depth, layer);
    return Responses{infinite_width_sizes(model, depth), 0}.of(layer);
}

} // namespace etastar::theory

#include "etastar/theory/moments.hpp"

#include "etastar/theory/finite_step.hpp"

#include "../floating.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace etastar::theory {

std::optional<double> Responses::of(Layer layer) const {
    switch (layer) {
    case Layer::last:
        return hidden.back();
    case Layer::mean:
        return std::accumulate(hidden.begin(), hidden.end(), 0.0) / static_cast<double>(hidden.size());
    case Layer::output:
        return output;
    case Layer::max:
        break;
    }
    return std::nullopt;
}

// Notation. s^l = M^l delta^l with M^1 = c1 I, M^l = W^l B^{l-1} (W^l)^T + w q^{l-1} I, B^l = D^l M^l D^l,
// where c1 = ||x||^2 times the first layer's multiplier, w the hidden layers' multiplier, q^l = ||h^l||^2.
// The ReLU masks D^l are in law independent fair coins, so expectations over one layer only need, with s =
// 2/n the weights' variance,
//
//     alpha = E (tr B)^2   beta = E tr B^2   gamma = E q tr B   rho = E h^T B h   kappa = E q^2.
Responses exact_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    const auto laws = model::layer_laws(model, width);
    const double n = width;
    const double s = laws.hidden.variance();
    const double c1 = model.input_dim * laws.first.rate;
    const double w = laws.hidden.rate;
    const double one = n / 2;            // expected number of active neurons
    const double pair = n * (n - 1) / 4; // expected number of ordered pairs of active neurons

    double alpha = c1 * c1 * (one + pair);
    double beta = c1 * c1 * one;
    double gamma = c1 * (n + 2 * pair);
    double rho = c1 * n;
    double kappa = 6 * n + 4 * pair;

    Responses response;
    response.hidden.reserve(depth);
    response.hidden.push_back(c1 * c1 / (2 * n * n));
    for (std::uint32_t layer = 2; layer <= depth; ++layer) {
        const double mixed = 2 * s * w * gamma + w * w * kappa;
        const double m2 = s * s * (alpha + 2 * beta) + mixed;        // E M_ii^2
        const double mm = s * s * alpha + mixed;                     // E M_ii M_jj
        const double off = s * s * beta;                             // E M_ij^2
        const double zm = s * s * (gamma + 2 * rho) + s * w * kappa; // E z_i^2 M_ii
        const double zm_off = s * s * gamma + s * w * kappa;         // E z_i^2 M_jj
        // Every moment is a sum of non-negative terms.
        response.hidden.push_back(infinite_if_nan((n * m2 + n * (n - 1) * off) / (2 * n * n * n)));
        alpha = one * m2 + pair * mm;
        beta = one * m2 + pair * off;
        gamma = one * zm + pair * zm_off;
        rho = one * zm + pair * s * s * rho;
        kappa = (3 * one + pair) * s * s * kappa;
    }
    // Theta = v^T B^L v + m_v q^L with v ~ N(0, I/n^2) independent of both.
    const double v = laws.readout.rate;
    response.output =
        infinite_if_nan((alpha + 2 * beta) / (n * n * n * n) + 2 * v * gamma / (n * n) + v * v * kappa);
    return response;
}

Responses infinite_width_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    const auto laws = model::layer_laws(model, width);
    const double n = width;
    const double first = model.input_dim * laws.first.rate / n;
    Responses response;
    response.hidden.reserve(depth);
    double m = first;
    double sum_of_squares = 0;
    for (std::uint32_t layer = 1; layer <= depth; ++layer) {
        m = first + laws.hidden.rate * (layer - 1);
        response.hidden.push_back(m * m / 2 + sum_of_squares);
        sum_of_squares += m * m;
    }
    const double theta = m / 2 + laws.readout.rate * n;
    response.output = theta * theta;
    return response;
}

namespace {

// Their gain of 2 keeps E ||h^l||^2 = n, on which both recursions build.
bool has_fair_mask(const model::Model& model) {
    return model::visit(model.activation, [](auto activation) { return activation.fair_mask; });
}

} // namespace

bool ExactMoments::covers(const model::Model& model) const { return has_fair_mask(model); }

std::optional<double> ExactMoments::response(const model::Model& model, std::uint32_t width,
                                             std::uint32_t depth, Layer layer) const {
    return exact_responses(model, width, depth).of(layer);
}

bool InfiniteWidth::covers(const model::Model& model) const { return has_fair_mask(model); }

std::optional<double> InfiniteWidth::response(const model::Model& model, std::uint32_t width,
                                              std::uint32_t depth, Layer layer) const {
    return infinite_width_responses(model, width, depth).of(layer == Layer::max ? Layer::last : layer);
}

std::optional<Changes> InfiniteWidth::changes(const model::Model& model, std::uint32_t width,
                                              std::uint32_t depth, double eta) const {
    return finite_step(model, width, depth, eta).changes();
}

} // namespace etastar::theory

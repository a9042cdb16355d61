#include "etastar/engine/implicit.hpp"

#include "etastar/engine/change.hpp"
#include "etastar/random/normal.hpp"

#include "implicit_kernels.hpp"
#include "kept.hpp"
#include "power_of_two.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::engine {
namespace {

// Neurons that pass through a kernel at a time: their variates stay in the first-level cache.
constexpr std::size_t block = 2048;

// Calls body(first, count) for the blocks of n neurons.
template <class Body>
void for_blocks(std::size_t n, Body body) {
    for (std::size_t first = 0; first < n; first += block) body(first, std::min(block, n - first));
}

double ratio(double numerator, double denominator) { return denominator > 0 ? numerator / denominator : 0.0; }

// ||w_perp||^2 = ||w||^2 - (h.w)^2 / ||h||^2; what is left of an exact cancellation is 0.
double perpendicular(double whole, double along) {
    constexpr double rounding = 1e-14;
    const double rest = whole - along;
    return rest > rounding * whole ? rest : (std::isnan(rest) ? rest : 0.0);
}

// The change of one layer, all columns: coefficients from the sums of the layer below.
struct Product {
    double a = 0; // W dh = a z + b delta + c (g'' - delta (delta . g'') / ||delta||^2), in mantissas of dh
    double b = 0;
    double c = 0;
};

} // namespace

ImplicitEngine::ImplicitEngine(std::uint32_t input_dim, network::Train train, network::Rates rates,
                               sweep::Precision precision, std::size_t weight_budget)
    : input_dim_(input_dim), train_(train), rates_(rates), precision_(precision), budget_(weight_budget) {}

// n variates of a layer. Kept layers were drawn by the pass that came first; others are drawn into scratch
// again.
const float* ImplicitEngine::variates(const network::Network& network, std::uint32_t layer, random::Role role,
                                      std::vector<float>& scratch) const {
    const std::size_t n = network.width();
    if (layer <= kept_layers_ && role != random::Role::change)
        return kept_.data() + (2 * (layer - 1) + (role == random::Role::backward ? 1 : 0)) * n;
    random::fill_normal(network.stream(role, layer), 0, n, 1.0f, scratch.data());
    return scratch.data();
}

void ImplicitEngine::forward(const network::Network& network) {
    const auto& kernels = implicit_kernels();
    const std::size_t n = network.width();
    double q = input_dim_; // ||x||^2
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        auto& here = layers_[layer - 1];
        here = {};
        here.zeta = std::sqrt(2.0 / network.columns(layer) * q);
        float* g = layer <= kept_layers_ ? kept_.data() + 2 * (layer - 1) * n : forward_.data();
        const auto stream = network.stream(random::Role::forward, layer);
        ForwardSums sums;
        for_blocks(n, [&](std::size_t first, std::size_t count) {
            random::fill_normal(stream, first, count, 1.0f, g + first);
            kernels.forward(g + first, count, sums);
        });
        here.squares = sums.squares;
        here.active = sums.active;
        here.q = here.zeta * here.zeta * sums.active;
        q = here.q;
    }
}

// From the read-out down: layer l's g' makes df/dh^l, masked delta^l. The read-out itself is g'/n at l = L.
void ImplicitEngine::backward(const network::Network& network) {
    const auto& kernels = implicit_kernels();
    const std::size_t n = network.width();
    const std::uint32_t depth = network.depth();
    for (std::uint32_t layer = depth; layer >= 1; --layer) {
        auto& here = layers_[layer - 1];
        const float* g = variates(network, layer, random::Role::forward, forward_);
        float* back = layer <= kept_layers_ ? kept_.data() + (2 * (layer - 1) + 1) * n : backward_.data();
        const auto stream = network.stream(random::Role::backward, layer);
        BackwardSums sums;
        for_blocks(n, [&](std::size_t first, std::size_t count) {
            random::fill_normal(stream, first, count, 1.0f, back + first);
            kernels.backward(g + first, back + first, count, sums);
        });
        const double overlap = here.zeta * sums.overlap; // h . g'
        if (layer == depth) {
            here.beta = 1.0 / static_cast<double>(n);
            output_ = here.beta * overlap;
        } else {
            here.beta = std::sqrt(2.0 / static_cast<double>(n) * layers_[layer].delta2);
            here.alpha = ratio(output_ - here.beta * overlap, here.q);
        }
        if (here.dead()) continue;
        here.delta2 = here.alpha * here.alpha * here.q + 2 * here.alpha * here.beta * overlap
                      + here.beta * here.beta * sums.active;
    }
}

void ImplicitEngine::change(const network::Network& network, const network::Multipliers& multiplier,
                            ChangeColumns& columns, std::vector<double>& response) {
    const auto& kernels = implicit_kernels();
    const std::size_t n = network.width();
    const double s = 2.0 / static_cast<double>(n);
    const std::size_t steps = columns.count() - 1;
    std::vector<Product> products(columns.count());
    std::vector<Panel<float>> singles;
    std::vector<Panel<double>> doubles;
    const bool single = precision_ == sweep::Precision::single_;
    const std::size_t panels = (steps + panel_columns - 1) / panel_columns;
    (single ? singles.resize(panels) : doubles.resize(panels));

    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& here = layers_[layer - 1];
        const double q = layer == 1 ? double{1} * input_dim_ : layers_[layer - 2].q;
        const bool carried = !columns.silent();
        if (carried)
            for (std::size_t k = 0; k < columns.count(); ++k) {
                const auto& sums = columns.sums(k);
                auto& product = products[k];
                product.a = ratio(sums.overlap, q);
                product.b = ratio(sums.projection - output_ * product.a, here.delta2);
                // The sign makes W (-w) = -W w: steps of either sign tend to the linear response, one by one.
                product.c = std::copysign(
                    std::sqrt(s * perpendicular(sums.active2, sums.overlap * product.a)), columns.gain(k));
            }
        columns.begin_layer(layer == 1 ? multiplier.first : multiplier.hidden, q, here.delta2);
        if (columns.silent()) {
            columns.end_layer();
            continue;
        }

        const float* g = variates(network, layer, random::Role::forward, forward_);
        const float* back = variates(network, layer, random::Role::backward, backward_);
        const float* fresh = g; // with coefficient 0 where nothing is carried
        FreshSums sums;
        if (carried) {
            const auto stream = network.stream(random::Role::change, layer);
            for_blocks(n, [&](std::size_t first, std::size_t count) {
                random::fill_normal(stream, first, count, 1.0f, fresh_.data() + first);
                kernels.fresh(g + first, back + first, fresh_.data() + first, count, sums);
            });
            fresh = fresh_.data();
        }

        const double delta_forward = here.dead() ? 0 : here.alpha * here.zeta;
        const double delta_backward = here.dead() ? 0 : here.beta;
        const double delta_fresh =
            delta_forward * sums.overlap + delta_backward * sums.backward; // delta . g''
        const double along_delta = ratio(delta_fresh, here.delta2);

        // d = A g + B delta + C g''.
        const auto coefficients = [&](std::size_t k) {
            const auto& product = products[k];
            const double carry = columns.carry(k);
            return Product{carry * product.a * here.zeta,
                           carry * (product.b - product.c * along_delta) + columns.inject(k),
                           carry * product.c};
        };

        // The linear response needs no pass of its own: its kink is never reached, so its sums are quadratic
        // forms in sums that are known. Where a neuron is active, the projection vector is delta.
        {
            const auto [a, b, c] = coefficients(0);
            const double zd = ratio(output_, here.zeta); // g . delta
            const double active = here.dead() ? 0 : here.active;
            const double active_fresh = here.dead() ? 0 : sums.active;
            const double overlap_fresh = here.dead() ? 0 : sums.overlap;
            const double rest = b * b * here.delta2 + 2 * a * b * zd + 2 * b * c * delta_fresh;
            columns.sums(0) = {
                a * a * here.squares + c * c * sums.squares + 2 * a * c * sums.forward + rest,
                a * a * active + c * c * active_fresh + 2 * a * c * overlap_fresh + rest,
                here.zeta * (a * active + b * zd + c * overlap_fresh),
                a * zd + b * here.delta2 + c * delta_fresh,
            };
        }

        const double unit = root_power_of_two(here.delta2); // of delta
        const auto run_panels = [&]<class T>(std::vector<Panel<T>>& list, auto kernel) {
            for (std::size_t p = 0; p < list.size(); ++p) {
                auto& panel = list[p];
                panel = {};
                panel.delta_forward = static_cast<T>(delta_forward / unit);
                panel.delta_backward = static_cast<T>(delta_backward / unit);
                for (std::size_t i = 0; i < panel_columns && p * panel_columns + i < steps; ++i) {
                    const std::size_t k = p * panel_columns + i + 1;
                    const auto [a, b, c] = coefficients(k);
                    panel.forward[i] = static_cast<T>(a);
                    panel.backward[i] = static_cast<T>(b * unit);
                    panel.fresh[i] = static_cast<T>(c);
                    panel.kink[i] = static_cast<T>(columns.kink(k, here.zeta));
                }
            }
            for_blocks(n, [&](std::size_t first, std::size_t count) {
                for (std::size_t p = 0; p < list.size(); ++p)
                    kernel(g + first, back + first, fresh + first, count, list[p]);
            });
            for (std::size_t k = 1; k <= steps; ++k) {
                const auto& panel = list[(k - 1) / panel_columns];
                const std::size_t i = (k - 1) % panel_columns;
                const double overlap = here.zeta * panel.overlap[i];
                columns.sums(k) = {panel.change2[i], panel.active2[i], overlap,
                                   here.alpha * overlap + here.beta * panel.projection[i]};
            }
        };
        if (single)
            run_panels(singles, kernels.panel_single);
        else
            run_panels(doubles, kernels.panel_double);
        columns.end_layer();
        response[layer - 1] = columns.last(0);
    }
}

NetworkOutcome ImplicitEngine::run(const network::NetworkId& id, std::span<const double> rates) {
    const network::Network network(id, input_dim_);
    const std::size_t n = id.width;
    const auto multiplier = network::multipliers(train_, rates_, id.width, input_dim_);

    kept_layers_ =
        static_cast<std::uint32_t>(std::min<std::size_t>(id.depth, budget_ / (2 * n * sizeof(float))));
    reserve_kept(kept_, 2 * n * kept_layers_);
    forward_.resize(n);
    backward_.resize(n);
    fresh_.resize(n);
    layers_.resize(id.depth);
    forward(network);
    backward(network);

    NetworkOutcome outcome;
    outcome.target = network.target();
    outcome.output = output_;
    outcome.response.assign(id.depth, 0.0);
    const double error = output_ - outcome.target;
    std::vector<double> gains;
    for (const double rate : rates) gains.push_back(-rate * error);
    ChangeColumns columns(gains, n);
    change(network, multiplier, columns, outcome.response);

    double theta = multiplier.last * layers_.back().q;
    for (std::uint32_t layer = 1; layer <= id.depth; ++layer) {
        const double q = layer == 1 ? double{1} * input_dim_ : layers_[layer - 2].q;
        theta += (layer == 1 ? multiplier.first : multiplier.hidden) * q * layers_[layer - 1].delta2;
    }
    outcome.response_output = theta * theta;
    outcome.steps = columns.outcomes(output_, multiplier.last, layers_.back().q);
    return outcome;
}

Estimate ImplicitEngine::estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                                  std::size_t weight_budget) {
    // Nanoseconds per neuron and layer, measured on one core: a variate with its sums, and half a panel of
    // columns; per layer and column the scalars.
    constexpr double variate = 1.4;
    constexpr double panel = 3.0;
    constexpr double scalars = 40;
    const double n = width;
    const bool change = spec.train != network::Train::last;
    const std::size_t layer_bytes = 2 * std::size_t{width} * sizeof(float);
    const auto kept = static_cast<double>(std::min<std::size_t>(depth, weight_budget / layer_bytes));
    const double redrawn = depth - kept;
    const double columns = static_cast<double>(spec.eta.size());
    const double panels = change ? std::ceil(columns / panel_columns) : 0;
    Estimate e;
    e.seconds = 1e-9
                * (n
                       * (variate * ((change ? 3.0 : 2.0) * depth + (change ? 3.0 : 1.0) * redrawn)
                          + panel * panels * depth)
                   + scalars * (columns + 1) * depth);
    e.bytes = static_cast<std::size_t>(kept) * layer_bytes + 3 * std::size_t{width} * sizeof(float);
    return e;
}

} // namespace etastar::engine

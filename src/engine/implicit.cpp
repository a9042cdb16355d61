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

} // namespace

// n variates of a layer. Kept layers were drawn by the pass that came first; others are drawn into scratch
// again.
const float* ImplicitEngine::variates(const model::RandomNetwork& network, std::uint32_t layer,
                                      random::Role role, std::vector<float>& scratch) const {
    const std::size_t n = network.width();
    if (layer <= kept_layers_ && role != random::Role::change)
        return kept_.data() + (2 * (std::size_t{layer} - 1) + (role == random::Role::backward ? 1 : 0)) * n;
    random::fill_normal(network.stream(role, layer), 0, n, 1.0f, scratch.data());
    return scratch.data();
}

void ImplicitEngine::forward(const model::RandomNetwork& network) {
    const auto& kernels = implicit_kernels();
    const std::size_t n = network.width();
    double q = network.input_dim(); // ||x||^2
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        auto& here = layers_[layer - 1];
        here = {};
        here.zeta = std::sqrt(network.laws()[layer].variance() * q);
        float* g = layer <= kept_layers_ ? kept_.data() + 2 * (std::size_t{layer} - 1) * n : forward_.data();
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
void ImplicitEngine::backward(const model::RandomNetwork& network, Passes& passes) {
    const auto& kernels = implicit_kernels();
    const std::size_t n = network.width();
    const std::uint32_t depth = network.depth();
    for (std::uint32_t layer = depth; layer >= 1; --layer) {
        auto& here = layers_[layer - 1];
        const float* g = variates(network, layer, random::Role::forward, forward_);
        float* back =
            layer <= kept_layers_ ? kept_.data() + (2 * (std::size_t{layer} - 1) + 1) * n : backward_.data();
        const auto stream = network.stream(random::Role::backward, layer);
        BackwardSums sums;
        for_blocks(n, [&](std::size_t first, std::size_t count) {
            random::fill_normal(stream, first, count, 1.0f, back + first);
            kernels.backward(g + first, back + first, count, sums);
        });
        const double overlap = here.zeta * sums.overlap; // h . g'
        if (layer == depth) {
            here.beta = network.laws().readout.deviation;
            passes.output = here.beta * overlap;
        } else {
            here.beta = std::sqrt(network.laws().hidden.variance() * layers_[layer].delta2);
            here.alpha = ratio(passes.output - here.beta * overlap, here.q);
        }
        if (here.dead()) continue;
        here.delta2 = here.alpha * here.alpha * here.q + 2 * here.alpha * here.beta * overlap
                      + here.beta * here.beta * sums.active;
    }
}

void ImplicitEngine::pass(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = network.width();
    const std::size_t depth = network.depth();
    kept_layers_ = static_cast<std::uint32_t>(
        std::min<std::size_t>(depth, settings().weight_budget / (2 * n * sizeof(float))));
    reserve_kept(kept_, 2 * n * kept_layers_);
    forward_.resize(n);
    backward_.resize(n);
    fresh_.resize(n);
    layers_.resize(depth);
    forward(network);
    backward(network, passes);
    passes.q[0] = network.input_dim();
    for (std::size_t l = 1; l <= depth; ++l) {
        passes.q[l] = layers_[l - 1].q;
        passes.delta2[l] = layers_[l - 1].delta2;
    }
}

struct ImplicitEngine::Draws {
    const float* g;
    const float* back;
    const float* fresh;
    FreshSums sums;       // 0 where nothing is carried
    double delta_forward; // delta = delta_forward g + delta_backward g' where g > 0
    double delta_backward;
    double delta_fresh; // delta . g''
};

// d = forward g + backward delta + fresh g''.
struct ImplicitEngine::Combination {
    double forward;
    double backward;
    double fresh;
};

ImplicitEngine::Draws ImplicitEngine::draw(const model::RandomNetwork& network, std::uint32_t layer,
                                           bool carried) {
    const auto& kernels = implicit_kernels();
    const auto& here = layers_[layer - 1];
    Draws draws{};
    draws.g = variates(network, layer, random::Role::forward, forward_);
    draws.back = variates(network, layer, random::Role::backward, backward_);
    draws.fresh = draws.g; // with coefficient 0 where nothing is carried
    if (carried) {
        const auto stream = network.stream(random::Role::change, layer);
        for_blocks(network.width(), [&](std::size_t first, std::size_t count) {
            random::fill_normal(stream, first, count, 1.0f, fresh_.data() + first);
            kernels.fresh(draws.g + first, draws.back + first, fresh_.data() + first, count, draws.sums);
        });
        draws.fresh = fresh_.data();
    }
    draws.delta_forward = here.dead() ? 0 : here.alpha * here.zeta;
    draws.delta_backward = here.dead() ? 0 : here.beta;
    draws.delta_fresh = draws.delta_forward * draws.sums.overlap + draws.delta_backward * draws.sums.backward;
    return draws;
}

// variance: of W^l. q: ||h^{l-1}||^2. The column's sums are those of the layer below.
ImplicitEngine::ThirdProduct ImplicitEngine::third_product(const ChangeColumns& columns, std::size_t k,
                                                           const Layer& here, double variance, double q,
                                                           double output) {
    const auto& sums = columns.sums(k);
    ThirdProduct product;
    product.a = ratio(sums.overlap, q);
    product.b = ratio(sums.projection - output * product.a, here.delta2);
    // The sign makes W (-w) = -W w: steps of either sign tend to the linear response, one by one.
    product.c = std::copysign(std::sqrt(variance * perpendicular(sums.active2, sums.overlap * product.a)),
                              columns.gain(k));
    return product;
}

// The linear response needs no pass of its own: its kink is never reached, so its sums are quadratic
// forms in sums that are known. Where a neuron is active, the projection vector is delta.
ChangeColumns::Sums ImplicitEngine::response_sums(const Layer& here, const Draws& draws, const Combination& d,
                                                  double output) {
    const double a = d.forward;
    const double b = d.backward;
    const double c = d.fresh;
    const double zd = ratio(output, here.zeta); // g . delta
    const double active = here.dead() ? 0 : here.active;
    const double active_fresh = here.dead() ? 0 : draws.sums.active;
    const double overlap_fresh = here.dead() ? 0 : draws.sums.overlap;
    const double rest = b * b * here.delta2 + 2 * a * b * zd + 2 * b * c * draws.delta_fresh;
    return {
        .change2 = a * a * here.squares + c * c * draws.sums.squares + 2 * a * c * draws.sums.forward + rest,
        .active2 = a * a * active + c * c * active_fresh + 2 * a * c * overlap_fresh + rest,
        .overlap = here.zeta * (a * active + b * zd + c * overlap_fresh),
        .projection = a * zd + b * here.delta2 + c * draws.delta_fresh,
    };
}

namespace {

void run_panel(const float* g, const float* back, const float* fresh, std::size_t count,
               Panel<float>& panel) {
    implicit_kernels().panel_single(g, back, fresh, count, panel);
}
void run_panel(const float* g, const float* back, const float* fresh, std::size_t count,
               Panel<double>& panel) {
    implicit_kernels().panel_double(g, back, fresh, count, panel);
}

} // namespace

// The steps' columns through one layer, panel_columns of them at a time.
template <class T>
void ImplicitEngine::advance(const Layer& here, const Draws& draws,
                             const std::vector<Combination>& combinations, ChangeColumns& columns) const {
    const std::size_t steps = columns.count() - 1;
    const double unit = root_power_of_two(here.delta2); // of delta
    std::vector<Panel<T>> panels((steps + panel_columns - 1) / panel_columns);
    for (auto& panel : panels) {
        panel.delta_forward = static_cast<T>(draws.delta_forward / unit);
        panel.delta_backward = static_cast<T>(draws.delta_backward / unit);
    }
    for (std::size_t k = 1; k <= steps; ++k) {
        auto& panel = panels[(k - 1) / panel_columns];
        const std::size_t i = (k - 1) % panel_columns;
        panel.forward[i] = static_cast<T>(combinations[k].forward);
        panel.backward[i] = static_cast<T>(combinations[k].backward * unit);
        panel.fresh[i] = static_cast<T>(combinations[k].fresh);
        panel.kink[i] = static_cast<T>(columns.kink(k, here.zeta));
    }
    for_blocks(forward_.size(), [&](std::size_t first, std::size_t count) {
        for (auto& panel : panels)
            run_panel(draws.g + first, draws.back + first, draws.fresh + first, count, panel);
    });
    for (std::size_t k = 1; k <= steps; ++k) {
        const auto& panel = panels[(k - 1) / panel_columns];
        const std::size_t i = (k - 1) % panel_columns;
        const double overlap = here.zeta * panel.overlap[i];
        columns.sums(k) = {.change2 = panel.change2[i],
                           .active2 = panel.active2[i],
                           .overlap = overlap,
                           .projection = here.alpha * overlap + here.beta * panel.projection[i]};
    }
}

void ImplicitEngine::change(const model::RandomNetwork& network, const Passes& passes,
                            ChangeColumns& columns) {
    std::vector<ThirdProduct> products(columns.count());
    std::vector<Combination> combinations(columns.count());
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& here = layers_[layer - 1];
        const auto& law = network.laws()[layer];
        const double q = passes.q[layer - 1];
        const bool carried = !columns.silent();
        if (carried)
            for (std::size_t k = 0; k < columns.count(); ++k)
                products[k] = third_product(columns, k, here, law.variance(), q, passes.output);
        columns.begin_layer(law, q, here.delta2);
        if (columns.silent()) {
            columns.end_layer();
            continue;
        }
        const Draws draws = draw(network, layer, carried);
        const double along_delta = ratio(draws.delta_fresh, here.delta2);
        for (std::size_t k = 0; k < columns.count(); ++k) {
            const auto& product = products[k];
            const double carry = columns.carry(k);
            combinations[k] = {
                .forward = carry * product.a * here.zeta,
                .backward = carry * (product.b - product.c * along_delta) + columns.inject(k),
                .fresh = carry * product.c,
            };
        }
        columns.sums(0) = response_sums(here, draws, combinations[0], passes.output);
        if (settings().precision == Precision::single_)
            advance<float>(here, draws, combinations, columns);
        else
            advance<double>(here, draws, combinations, columns);
        columns.end_layer();
    }
}

Cost ImplicitEngine::cost(const Settings& settings, std::uint32_t width, std::uint32_t depth,
                          std::size_t rates) {
    // Nanoseconds per neuron and layer, measured on one core: a variate with its sums, and half a panel of
    // columns; per layer and column the scalars.
    constexpr double variate = 1.4;
    constexpr double panel = 3.0;
    constexpr double scalars = 40;
    const double n = width;
    const bool change = settings.model.train != model::Train::last;
    const std::size_t layer_bytes = 2 * std::size_t{width} * sizeof(float);
    const auto kept = static_cast<double>(std::min<std::size_t>(depth, settings.weight_budget / layer_bytes));
    const double redrawn = depth - kept;
    const auto columns = static_cast<double>(rates);
    const double panels = change ? std::ceil(columns / panel_columns) : 0;
    Cost cost;
    cost.seconds = 1e-9
                   * (n
                          * (variate * ((change ? 3.0 : 2.0) * depth + (change ? 3.0 : 1.0) * redrawn)
                             + panel * panels * depth)
                      + scalars * (columns + 1) * depth);
    cost.bytes = static_cast<std::size_t>(kept) * layer_bytes + 3 * std::size_t{width} * sizeof(float);
    return cost;
}

} // namespace etastar::engine

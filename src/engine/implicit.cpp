#include "implicit.hpp"

#include "etastar/random/normal.hpp"

#include "kept.hpp"
#include "power_of_two.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace etastar::engine {
namespace {

// Neurons that pass through the kernels at a time: their vectors stay in the first-level cache.
constexpr std::size_t block = 1024;

// Where h, slope and P of all layers take no more they are held between the passes: they stay in a cache of the core's own,
// beside the variates.
constexpr std::size_t held_bytes = std::size_t{1} << 19;

// A layer's variates: g, g', g''.
constexpr std::size_t roles = 3;

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

template <class T>
void ImplicitEngine<T>::prepare(const model::RandomNetwork& network) {
    const std::size_t n = network.width();
    const std::size_t depth = network.depth();
    width_ = n;
    streams_ = network.laws().hidden.block.skip != 0;
    holds_ = 3 * n * depth * sizeof(T) <= std::min(held_bytes, settings().weight_budget);
    absolute_ = model::step_rule(settings().model.optimizer).signs;
    kept_layers_ = static_cast<std::uint32_t>(
        std::min<std::size_t>(depth, settings().weight_budget / (roles * n * sizeof(float))));
    reserve_kept(kept_, roles * n * kept_layers_);
    forward_.resize(n);
    backward_.resize(n);
    fresh_.resize(n);
    if (streams_) reserve_kept(z_, n * depth);
    if (keeps_gradients()) reserve_kept(p_, n * depth);
    if (holds_) {
        h_.resize(n * depth);
        slope_.resize(n * depth);
    }
    layers_.assign(depth, {});
    for (auto* values : {&block_.forward, &block_.z, &block_.h, &block_.slope, &block_.side, &block_.gradient,
                         &block_.fresh})
        values->resize(std::min(block, n));
}

// Where n variates of a layer are put: those of layers that are not kept are overwritten by the next.
template <class T>
float* ImplicitEngine<T>::room(std::uint32_t layer, random::Role role) {
    const std::size_t at = role == random::Role::forward ? 0 : role == random::Role::backward ? 1 : 2;
    if (keeps(layer)) return kept_.data() + (roles * (std::size_t{layer} - 1) + at) * width_;
    std::vector<float>* const scratch[] = {&forward_, &backward_, &fresh_};
    return scratch[at]->data();
}

// n variates that an earlier pass drew: again, where the layer is not kept.
template <class T>
const float* ImplicitEngine<T>::variates(const model::RandomNetwork& network, std::uint32_t layer,
                                         random::Role role) {
    float* values = room(layer, role);
    if (!keeps(layer)) random::fill_normal(network.stream(role, layer), 0, width_, 1.0f, values);
    return values;
}

template <class T>
const T* ImplicitEngine<T>::widened(const float* values, std::size_t count, std::vector<T>& scratch) const {
    if constexpr (std::is_same_v<T, float>) {
        return values;
    } else {
        kernels_.sums->widen(values, count, scratch.data());
        return scratch.data();
    }
}

// Neurons first .. first + count of a layer, with z, h, the slope and the forward vector. g: the layer's. forward: the
// first pass to see them.
template <class T>
Neurons<T> ImplicitEngine<T>::neurons(std::uint32_t layer, const float* g, std::size_t first,
                                      std::size_t count, bool forward) {
    const auto& here = layers_[layer - 1];
    const std::size_t at = (layer - 1) * width_ + first;
    T* const h = holds_ ? h_.data() + at : block_.h.data();
    T* const slope = holds_ ? slope_.data() + at : block_.slope.data();
    Neurons<T> view;
    view.count = count;
    view.forward = widened(g + first, count, block_.forward);
    view.h = h;
    view.slope = slope;
    if (streams_) {
        view.z = z_.data() + at;
    } else if (kernels_.activation->homogeneous && here.zeta != 0) {
        view.z = view.forward;
    } else {
        kernels_.sums->scale(g + first, static_cast<T>(here.zeta), count, block_.z.data());
        view.z = block_.z.data();
    }
    if (forward || !holds_) kernels_.activate(view.z, count, h, slope);
    return view;
}

template <class T>
void ImplicitEngine<T>::forward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = width_;
    const bool homogeneous = kernels_.activation->homogeneous;
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& law = network.laws()[layer];
        const auto& below = passes.layers[layer - 1];
        auto& here = layers_[layer - 1];
        here.zeta = std::sqrt(law.variance() * below.h2);
        T* z = nullptr;
        T kept_z = 0;
        T new_z = 0;
        if (streams_) {
            z = z_.data() + (layer - 1) * n;
            const double added = law.block.branch * here.zeta;
            if (homogeneous)
                here.z_unit = root_power_of_two(law.block.skip * below.z2 / network.width() + added * added);
            new_z = static_cast<T>(added / here.z_unit);
            if (layer > 1) kept_z = static_cast<T>(law.block.skip * layers_[layer - 2].z_unit / here.z_unit);
        } else if (homogeneous && here.zeta != 0) {
            here.z_unit = here.zeta;
        }
        float* g = room(layer, random::Role::forward);
        float* back = room(layer, random::Role::backward);
        const auto stream = network.stream(random::Role::forward, layer);
        const auto back_stream = network.stream(random::Role::backward, layer);
        ForwardSums sums;
        for_blocks(n, [&](std::size_t first, std::size_t count) {
            random::fill_normal(stream, first, count, 1.0f, g + first);
            random::fill_normal(back_stream, first, count, 1.0f, back + first);
            if (streams_) {
                if (layer == 1) {
                    kernels_.sums->scale(g + first, new_z, count, z + first);
                } else {
                    kernels_.sums->stream(z - n + first, kept_z, g + first, new_z, count, z + first);
                }
            }
            auto view = neurons(layer, g, first, count, true);
            view.side = widened(back + first, count, block_.side);
            kernels_.sums->forward(view, absolute_, sums);
        });
        auto& measured = passes.layers[layer];
        measured.z2 = here.z_unit * sums.z2 * here.z_unit;
        measured.h2 = here.z_unit * sums.h2 * here.z_unit;
        measured.h1 = here.z_unit * sums.h1;
        here.overlap = here.z_unit * sums.side;
    }
}

// From the read-out down: layer l's g' makes df/dh^l. The read-out itself is g'/n at l = L.
template <class T>
void ImplicitEngine<T>::backward(const model::RandomNetwork& network, Passes& passes) {
    const std::size_t n = width_;
    const std::uint32_t depth = network.depth();
    const auto& laws = network.laws();
    for (std::uint32_t layer = depth; layer >= 1; --layer) {
        auto& here = layers_[layer - 1];
        auto& measured = passes.layers[layer];
        const float* g = variates(network, layer, random::Role::forward);
        const float* back = variates(network, layer, random::Role::backward);
        float* fresh = room(layer, random::Role::change);
        const auto fresh_stream = network.stream(random::Role::change, layer);
        double branch = 1;
        double above2 = 0;
        double above_unit = 0;
        if (layer == depth) {
            here.beta = laws.readout.deviation;
            passes.output = here.beta * here.overlap;
            if (!laws.moves_hidden_layers()) return;
        } else {
            const auto& above = layers_[layer];
            here.beta = std::sqrt(laws.hidden.variance() * above.p2);
            here.alpha = ratio(above.along - here.beta * here.overlap, measured.h2);
            branch = laws.hidden.block.branch;
            above2 = laws.hidden.block.skip * above.p2;
            above_unit = laws.hidden.block.skip * above.p_unit;
        }
        const double a = branch * here.alpha;
        const double b = branch * here.beta;
        here.p_unit = root_power_of_two((above2 + a * a * measured.h2) / network.width() + b * b);
        here.gradient.h_part = static_cast<T>(a * here.z_unit / here.p_unit);
        here.gradient.side_part = static_cast<T>(b / here.p_unit);
        here.gradient.above_part = static_cast<T>(above_unit / here.p_unit);
        GradientSums sums;
        for_blocks(n, [&](std::size_t first, std::size_t count) {
            auto view = neurons(layer, g, first, count, false);
            view.side = widened(back + first, count, block_.side);
            if (layer > 1) { // nothing is carried to layer 1
                random::fill_normal(fresh_stream, first, count, 1.0f, fresh + first);
                view.fresh = widened(fresh + first, count, block_.fresh);
            }
            auto terms = here.gradient;
            T* p = keeps_gradients() ? gradients(layer) + first : nullptr;
            if (above_unit != 0) terms.above = p + n;
            kernels_.sums->backward(view, terms, absolute_, p, sums);
        });
        here.p2 = here.p_unit * sums.p2 * here.p_unit;
        here.along = here.zeta * here.p_unit * sums.along;
        here.fresh = here.p_unit * sums.fresh;
        measured.p2 = here.p2;
        measured.p1 = here.p_unit * sums.p1;
    }
}

template <class T>
void ImplicitEngine<T>::pass(const model::RandomNetwork& network, Passes& passes) {
    prepare(network);
    forward(network, passes);
    backward(network, passes);
}

// variance: of W^l. q: ||h^{l-1}||^2. The column's sums are those of the layer below.
template <class T>
typename ImplicitEngine<T>::ThirdProduct ImplicitEngine<T>::third_product(const ChangeColumns& columns,
                                                                          std::size_t k, std::uint32_t layer,
                                                                          double variance, double q) const {
    const auto& here = layers_[layer - 1];
    const auto& sums = columns.sums(k);
    ThirdProduct product;
    product.a = ratio(sums.overlap, q);
    product.b = ratio(sums.projection - here.along * product.a, here.p2);
    // The sign makes W (-w) = -W w: steps of either sign tend to the linear response, one by one.
    product.c = std::copysign(std::sqrt(variance * perpendicular(sums.active2, sums.overlap * product.a)),
                              columns.gain(k));
    return product;
}

// One layer of all columns.
template <class T>
void ImplicitEngine<T>::advance(std::uint32_t layer, const float* g, const float* back, const float* fresh,
                                const std::vector<Combination>& combinations, ChangeColumns& columns) {
    const auto& here = layers_[layer - 1];
    const std::size_t stride = panels_for(columns.count() - 1) * panel_columns;
    const Terms terms{.base = streams_, .gaussian = true, .signs = columns.signs()};
    LayerColumns<T> panels(columns, here.z_unit);
    for (std::size_t k = 0; k < columns.count(); ++k) panels.set(k, combinations[k]);
    for_blocks(width_, [&](std::size_t first, std::size_t count) {
        auto view = neurons(layer, g, first, count, false);
        view.side = widened(back + first, count, block_.side);
        view.fresh = widened(fresh + first, count, block_.fresh);
        if (keeps_gradients()) {
            view.gradient = gradients(layer) + first;
        } else {
            kernels_.sums->gradient(view, here.gradient, block_.gradient.data());
            view.gradient = block_.gradient.data();
        }
        auto of_steps = view;
        view.stride = 1;
        of_steps.stride = stride;
        if (streams_) {
            view.base = response_.data() + first;
            of_steps.base = steps_.data() + first * stride;
        }
        panels.advance(kernels_, view, of_steps, terms);
    });
    panels.deliver(columns, [&](double overlap, double projection) {
        return here.alpha * overlap + here.beta * projection;
    });
}

template <class T>
void ImplicitEngine<T>::change(const model::RandomNetwork& network, const Passes& passes,
                               ChangeColumns& columns) {
    std::vector<ThirdProduct> products(columns.count());
    std::vector<Combination> combinations(columns.count());
    if (streams_) {
        steps_.assign(width_ * panels_for(columns.count() - 1) * panel_columns, T{0});
        response_.assign(width_, T{0});
    }
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& here = layers_[layer - 1];
        const auto& law = network.laws()[layer];
        const auto& below = passes.layers[layer - 1];
        const bool carried = !columns.silent();
        if (carried)
            for (std::size_t k = 0; k < columns.count(); ++k)
                products[k] = third_product(columns, k, layer, law.variance(), below.h2);
        columns.begin_layer(law, {below.h2, below.h1, here.p2});
        if (!columns.silent()) {
            const float* g = variates(network, layer, random::Role::forward);
            const float* back = variates(network, layer, random::Role::backward);
            const float* fresh = carried ? variates(network, layer, random::Role::change) : g;
            const double along = ratio(here.fresh, here.p2);
            for (std::size_t k = 0; k < columns.count(); ++k) {
                const auto& product = products[k];
                const double carry = columns.carry(k);
                const double inject = columns.inject(k);
                combinations[k] = {
                    .base = columns.skip(k),
                    .forward = carry * product.a * here.zeta,
                    .gradient = here.p_unit
                                * (carry * (product.b - product.c * along) + (columns.signs() ? 0 : inject)),
                    .fresh = carry * product.c,
                    .sign = columns.signs() ? inject : 0,
                };
            }
            // Where nothing is carried, g'' has coefficient 0.
            advance(layer, g, back, fresh, combinations, columns);
        }
        columns.end_layer();
    }
}

template <class T>
Cost ImplicitEngine<T>::cost(const Settings& settings, std::uint32_t width, std::uint32_t depth,
                             std::size_t rates) {
    // Nanoseconds per neuron and layer, measured on one core: a variate with its sums, a panel of columns, and of a smooth
    // activation its values and slopes in each of three passes; per layer and column the scalars.
    const bool smooth =
        model::visit_activation(settings.model, [](auto phi) { return !phi.piecewise_linear; });
    constexpr double variate = 1.4;
    constexpr double values = 1.0;
    const double panel = smooth ? 10.0 : 3.0;
    constexpr double scalars = 40;
    const double n = width;
    const auto laws = model::layer_laws(settings.model, width, depth);
    const bool change = laws.moves_hidden_layers();
    const bool streams = laws.hidden.block.skip != 0;
    const std::size_t layer_bytes = roles * std::size_t{width} * sizeof(float);
    const auto kept = static_cast<double>(std::min<std::size_t>(depth, settings.weight_budget / layer_bytes));
    const double redrawn = depth - kept;
    const auto panels = change ? panels_for(rates) : 0;
    // In double precision the panels take twice as long, and those of smooth activations have twice the terms.
    const double width_of_values = std::is_same_v<T, double> ? (smooth ? 4.0 : 2.0) : 1.0;
    const double passes = change ? 3 : 1;
    Cost cost;
    cost.seconds =
        1e-9
        * (n
               * (variate * ((change ? 3.0 : 2.0) * depth + (change ? 5.0 : 0.0) * redrawn)
                  + width_of_values * ((smooth ? values * passes : 0.0) + panel * static_cast<double>(panels))
                        * depth)
           + scalars * static_cast<double>(rates + 1) * depth);
    cost.bytes = static_cast<std::size_t>(kept) * layer_bytes + 3 * std::size_t{width} * sizeof(float);
    if (streams)
        cost.bytes += std::size_t{width} * sizeof(T) * (2 * std::size_t{depth} + panels * panel_columns + 1);
    return cost;
}

template class ImplicitEngine<float>;
template class ImplicitEngine<double>;

} // namespace etastar::engine

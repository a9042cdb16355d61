#include "etastar/theory/infinite_width.hpp"

#include "etastar/theory/finite_step.hpp"

#include "../floating.hpp"
#include "fields.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace etastar::theory {
namespace {

// What a layer is before the step. All of it is known once the network's depth is.
struct LayerBefore {
    Gauge gauge;
    double backward = 0; // (p k)^(1/2), p the variance of n df/dh
};

std::vector<LayerBefore> before_step(const model::Model& model, std::uint32_t depth) {
    const double s2 = model.gain();
    std::vector<LayerBefore> layers(depth);
    double k = s2;
    for (auto& layer : layers) {
        layer.gauge = gauge(model, k);
        k *= s2 * layer.gauge.r;
    }
    double root_p = 1;
    for (std::size_t l = depth; l-- > 0;) {
        layers[l].backward = root_p * std::sqrt(layers[l].gauge.k);
        root_p *= std::sqrt(s2 * layers[l].gauge.e2);
    }
    return layers;
}

enum class Step { sgd, sign, normalized };

Step step_of(const model::Model& model) {
    if (model.optimizer == model::optimizer_of<model::Sign>) return Step::sign;
    return model.optimizer == model::optimizer_of<model::Normalized> ? Step::normalized : Step::sgd;
}

// What a step of base rate eta adds: lengths in units of k^(1/2) of the layer.
class Injection {
public:
    Injection(const model::Model& model, std::uint32_t width, std::uint32_t depth, double eta)
        : step_(step_of(model)),
          s2_(model.gain()),
          n_(width),
          n0_(model.input_dim),
          eta_(eta),
          laws_(model::layer_laws(model, width, depth)) {}

    void first(const LayerBefore& layer, Change& change) const {
        const auto& law = laws_.first;
        const double k = layer.gauge.k;
        switch (step_) {
        case Step::sgd:
            change.b += eta_ * layer.backward * (law.rate * n0_ + law.bias_rate) / (n_ * k);
            break;
        case Step::normalized:
            change.b +=
                eta_ * (law.rate * std::sqrt(n0_) + law.bias_rate) / std::sqrt(n_ * k * layer.gauge.e2);
            break;
        case Step::sign:
            change.d += eta_ * (law.rate * n0_ + law.bias_rate) / std::sqrt(k);
            break;
        }
    }

    // `below` did `echo` for a layer below whose input grew by `echo`.
    void hidden(const Gauge& below, const Echo& echo, const LayerBefore& layer, Change& change) const {
        const auto& law = laws_.hidden;
        const double k = layer.gauge.k;
        switch (step_) {
        case Step::sgd:
            change.b += eta_ * layer.backward * (law.rate * (1 + change.a) / s2_);
            if (law.bias_rate != 0) change.b += eta_ * layer.backward * law.bias_rate / (n_ * k);
            break;
        case Step::normalized:
            change.b += eta_ * law.rate * (1 + change.a) / std::sqrt(s2_ * layer.gauge.e2);
            if (law.bias_rate != 0) change.b += eta_ * law.bias_rate / std::sqrt(n_ * k * layer.gauge.e2);
            break;
        case Step::sign:
            change.d += eta_ * law.rate * n_ * (below.modulus + echo.s) / std::sqrt(s2_ * below.r);
            if (law.bias_rate != 0) change.d += eta_ * law.bias_rate / std::sqrt(k);
            break;
        }
    }

    // The read-out's own part of the output's change.
    double readout(const Gauge& top, const Echo& echo) const {
        const double rate = eta_ * laws_.readout.rate;
        if (rate == 0) return 0;
        switch (step_) {
        case Step::sgd:
            return rate * n_ * top.k * (top.r + echo.h);
        case Step::normalized:
            return rate * std::sqrt(n_ * top.k / top.r) * (top.r + echo.h);
        case Step::sign:
            break;
        }
        return rate * n_ * std::sqrt(top.k) * (top.modulus + echo.s);
    }

private:
    Step step_;
    double s2_;
    double n_;
    double n0_;
    double eta_;
    model::LayerLaws laws_;
};

// E dz^2.
double squared(const Gauge& g, const Change& x) {
    return infinite_if_nan(g.k
                           * (square(x.a) + square(x.b) * g.e2 + 2 * x.b * x.d * root_two_over_pi * g.e1
                              + square(x.d) * g.nonzero + square(x.c)));
}

// The walk through the layers: `echo_of`(gauge, change), then visit(E dz^2) of each layer. Returns the output's change.
template <class EchoOf, class Visit>
double walk(const std::vector<LayerBefore>& layers, const Injection& injection, EchoOf echo_of, Visit visit) {
    Change change;
    injection.first(layers.front(), change);
    visit(squared(layers.front().gauge, change));
    Echo echo = echo_of(layers.front().gauge, change);
    for (std::size_t l = 1; l < layers.size(); ++l) {
        const auto& below = layers[l - 1].gauge;
        const auto& here = layers[l];
        change.a = echo.h / below.r;
        change.b = echo.p / std::sqrt(below.r * here.gauge.e2);
        change.c = std::sqrt(echo.fresh / below.r);
        change.d = 0;
        injection.hidden(below, echo, here, change);
        visit(squared(here.gauge, change));
        echo = echo_of(here.gauge, change);
    }
    const auto& top = layers.back().gauge;
    return echo.p * std::sqrt(top.k) + injection.readout(top, echo);
}

double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

} // namespace

double Responses::of(Layer layer) const {
    switch (layer) {
    case Layer::last:
        return hidden.back();
    case Layer::mean:
        return mean(hidden);
    case Layer::max:
        return largest(hidden);
    case Layer::output:
        break;
    }
    return output;
}

std::vector<double> infinite_width_sizes(const model::Model& model, std::uint32_t depth) {
    std::vector<double> sizes;
    sizes.reserve(depth);
    double k = model.gain();
    for (std::uint32_t l = 0; l < depth; ++l) {
        sizes.push_back(k);
        k *= model.gain() * gauge(model, k).r;
    }
    return sizes;
}

Responses infinite_width_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    Responses responses;
    responses.hidden.reserve(depth);
    const double output = walk(before_step(model, depth), Injection(model, width, depth, 1), linear_echo,
                               [&](double dz2) { responses.hidden.push_back(dz2); });
    responses.output = infinite_if_nan(square(output));
    return responses;
}

Changes infinite_width_changes(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                               double eta) {
    Changes changes;
    double total = 0;
    const double output = walk(
        before_step(model, depth), Injection(model, width, depth, eta),
        [&](const Gauge& gauge, const Change& change) { return echo(model, gauge, change); },
        [&](double dz2) {
            changes.last = dz2;
            changes.max = std::max(changes.max, dz2);
            total += dz2;
        });
    changes.mean = total / depth;
    changes.output = infinite_if_nan(square(output));
    return changes;
}

bool InfiniteWidth::covers(const model::Model& model) const {
    return model.architecture == model::architecture_of<model::Mlp>;
}

// Without a critical point (gelu, silu) a relative change of s2 grows exponentially with depth, and in the end it is the
// last digit of s2 that decides.
bool InfiniteWidth::reaches(const model::Model& model, std::uint32_t depth) const {
    const bool unstable =
        model.activation
            == model::activation_of<model::Gelu> || model.activation == model::activation_of<model::Silu>;
    if (!unstable || depth < 32) return true;
    constexpr double change = 1e-13; // a thousand roundings
    constexpr double tolerable = 0.1;
    auto other = model;
    other.weight_variance = model.gain() * (1 + change);
    const double here = infinite_width_sizes(model, depth).back();
    const double there = infinite_width_sizes(other, depth).back();
    return std::abs(there - here) <= tolerable * here;
}

std::optional<double> InfiniteWidth::response(const model::Model& model, std::uint32_t width,
                                              std::uint32_t depth, Layer layer) const {
    if (!reaches(model, depth)) return std::nullopt;
    return infinite_width_responses(model, width, depth).of(layer);
}

std::optional<Changes> InfiniteWidth::changes(const model::Model& model, std::uint32_t width,
                                              std::uint32_t depth, double eta) const {
    if (is_bare_relu(model)) return finite_step(model, width, depth, eta).changes();
    if (!reaches(model, depth)) return std::nullopt;
    return infinite_width_changes(model, width, depth, eta);
}

std::optional<double> InfiniteWidth::size(const model::Model& model, std::uint32_t /*width*/,
                                          std::uint32_t depth, Layer layer) const {
    if (layer == Layer::output || !reaches(model, depth)) return std::nullopt;
    return Responses{infinite_width_sizes(model, depth), 0}.of(layer);
}

} // namespace etastar::theory

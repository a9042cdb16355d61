#include "etastar/theory/residual.hpp"

#include "etastar/theory/infinite_width.hpp"

#include "../floating.hpp"
#include "fields.hpp"
#include "paths.hpp"
#include "quadrature.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>
#include <optional>

namespace etastar::theory {
namespace {

using std::numbers::pi;

// What the layers are before the step: index l - 1.
struct Stream {
    double s2 = 0;
    double tau = 0;
    std::vector<Gauge> gauges; // of x^l ~ N(0, k)
    std::vector<double> pi;    // E (n df/dx^l)^2

    std::size_t depth() const { return gauges.size(); }
    double q(std::size_t l) const { return gauges[l].k * gauges[l].r; }
    // Of u^l = n (W^{l+1})^T df/dx^{l+1}: a neuron's backward increment is tau phi'(x^l) u^l.
    double u2(std::size_t l) const { return s2 * pi[l + 1]; }
};

Stream stream_of(const model::Model& model, std::uint32_t depth) {
    Stream stream;
    stream.s2 = model.gain();
    stream.tau = model::layer_laws(model, 1, depth).hidden.block.branch;
    const double t2 = square(stream.tau) * stream.s2;
    double k = stream.s2;
    for (std::uint32_t l = 0; l < depth; ++l) {
        stream.gauges.push_back(gauge(model, k));
        k += t2 * stream.q(l);
    }
    stream.pi.assign(depth, stream.gauges.back().e2);
    for (std::size_t l = depth - 1; l-- > 0;)
        stream.pi[l] = stream.pi[l + 1] * (1 + t2 * stream.gauges[l].e2);
    return stream;
}

// What a step of base rate eta adds to dx^l: `proportional` times the backward field, n df/dx^l, and `sign` times its sign.
struct Added {
    double proportional = 0;
    double sign = 0;
};

class StreamInjection {
public:
    StreamInjection(const model::Model& model, std::uint32_t width, std::uint32_t depth, double eta)
        : optimizer_(model.optimizer),
          n_(width),
          n0_(model.input_dim),
          eta_(eta),
          laws_(model::layer_laws(model, width, depth)) {}

    Added first(const Stream& stream) const {
        const auto& law = laws_.first;
        if (signs()) return {0, eta_ * (law.rate * n0_ + law.bias_rate)};
        if (normalized())
            return {eta_ * (law.rate * std::sqrt(n0_) + law.bias_rate) / std::sqrt(n_ * stream.pi[0]), 0};
        return {eta_ * (law.rate * n0_ + law.bias_rate) / n_, 0};
    }

    // l, from 0, above a layer whose phi has H = E phi dphi and S = E sgn(phi) dphi.
    Added hidden(const Stream& stream, std::size_t l, double h, double s) const {
        const auto& law = laws_.hidden;
        const double tau = stream.tau;
        const auto& below = stream.gauges[l - 1];
        if (signs())
            return {0,
                    tau * eta_ * (law.rate * n_ * (below.modulus * std::sqrt(below.k) + s) + law.bias_rate)};
        const double input = stream.q(l - 1) + h; // h . (h + dh) / n
        if (normalized())
            return {tau * eta_
                        * (law.rate * input / std::sqrt(stream.q(l - 1)) + law.bias_rate / std::sqrt(n_))
                        / std::sqrt(stream.pi[l]),
                    0};
        return {tau * tau * eta_ * (law.rate * input + law.bias_rate / n_), 0};
    }

    double readout(const Stream& stream, double h, double s) const {
        const double rate = eta_ * laws_.readout.rate;
        const auto& top = stream.gauges.back();
        const double q = top.k * top.r;
        if (rate == 0) return 0;
        if (signs()) return rate * n_ * (top.modulus * std::sqrt(top.k) + s);
        if (normalized()) return rate * std::sqrt(n_ / q) * (q + h);
        return rate * n_ * (q + h);
    }

    bool signs() const { return optimizer_ == model::optimizer_of<model::Sign>; }

private:
    bool normalized() const { return optimizer_ == model::optimizer_of<model::Normalized>; }

    model::Optimizer optimizer_;
    double n_;
    double n0_;
    double eta_;
    model::LayerLaws laws_;
};

// For l = 0 .. L - 1: sum over i < l of lower[i] Q(i, l), and sum over i >= l of upper[i] Q(i, l),
// Q(i, l) = E phi'(x^i)^2 phi'(x^l)^2.
struct Sums {
    std::vector<double> below;
    std::vector<double> above;
};

// phi' is 1 above and leak below 0: by the angle between x^i and x^l.
Sums piecewise_linear_sums(const Stream& stream, double leak, const std::vector<double>& lower,
                           const std::vector<double>& upper) {
    const double equal = (1 + square(leak * leak)) / 2;
    const double different = leak * leak;
    const std::size_t depth = stream.depth();
    Sums sums{std::vector<double>(depth, 0.0), std::vector<double>(depth, 0.0)};
    for (std::size_t l = 0; l < depth; ++l) {
        sums.above[l] += upper[l] * equal;
        for (std::size_t i = 0; i < l; ++i) {
            const double k = stream.gauges[i].k;
            const double apart = leak == 1 ? 0 : arctangent(std::sqrt((stream.gauges[l].k - k) / k)) / pi;
            const double q = equal - (equal - different) * apart;
            sums.below[l] += lower[i] * q;
            sums.above[i] += upper[l] * q;
        }
    }
    return sums;
}

// By Mehler's formula: with phi'(k^(1/2) x)^2 = sum_m c_m h_m(x) in normalised Hermite polynomials,
// Q(i, l) = sum_m c_m(i) c_m(l) (k_i / k_l)^(m/2) for i < l.
template <class Phi>
Sums smooth_sums(const Stream& stream, const Phi& phi, const std::vector<double>& lower,
                 const std::vector<double>& upper) {
    const std::size_t depth = stream.depth();
    const double k_most = stream.gauges.back().k;
    const auto terms = static_cast<std::size_t>(k_most < 6 ? 72 + 56 * k_most : 400);
    const std::array<Feature, 1> bend{{{0, 1}}};
    std::vector<double> coefficients(depth * terms, 0.0);
    std::vector<double> roots(terms + 1);
    for (std::size_t m = 0; m <= terms; ++m) roots[m] = std::sqrt(static_cast<double>(m));
    for (std::size_t l = 0; l < depth; ++l) {
        double* c = &coefficients[l * terms];
        if (l > 0 && stream.gauges[l].k == stream.gauges[l - 1].k) {
            std::copy(c - terms, c, c);
            continue;
        }
        const double k = std::clamp(stream.gauges[l].k, 1e-250, 1e250);
        const double deviation = std::sqrt(k);
        const Rule rule = normal_panels(k, bend, Fineness::fine);
        for (std::size_t j = 0; j < rule.size(); ++j) {
            const double x = rule.nodes[j] / deviation;
            const double f = rule.weights[j] * square(phi.slope(rule.nodes[j]));
            double before = 0;
            double here = 1;
            for (std::size_t m = 0; m < terms; ++m) {
                c[m] += f * here;
                const double next = (x * here - roots[m] * before) / roots[m + 1];
                before = here;
                here = next;
            }
        }
    }
    Sums sums{std::vector<double>(depth, 0.0), std::vector<double>(depth, 0.0)};
    std::vector<double> gathered(terms, 0.0);
    // From layer `from` to its neighbour `to`, gathered_m shrinks by (k_less / k_more)^(m/2).
    const auto carry = [&](std::size_t less, std::size_t more) {
        const double rho = std::sqrt(stream.gauges[less].k / stream.gauges[more].k);
        double power = 1;
        for (double& each : gathered) {
            each *= power;
            power *= rho;
        }
    };
    const auto product = [&](std::size_t l) {
        return std::inner_product(gathered.begin(), gathered.end(), &coefficients[l * terms], 0.0);
    };
    const auto add = [&](std::size_t l, double weight) {
        for (std::size_t m = 0; m < terms; ++m) gathered[m] += weight * coefficients[l * terms + m];
    };
    for (std::size_t l = 0; l < depth; ++l) {
        if (l > 0) {
            add(l - 1, lower[l - 1]);
            carry(l - 1, l);
        }
        sums.below[l] = product(l);
    }
    std::fill(gathered.begin(), gathered.end(), 0.0);
    for (std::size_t l = depth; l-- > 0;) {
        if (l + 1 < depth) {
            add(l + 1, upper[l + 1]);
            carry(l, l + 1);
        }
        sums.above[l] = product(l) + upper[l] * stream.gauges[l].e4;
    }
    return sums;
}

Sums sums_over_pairs(const model::Model& model, const Stream& stream, const std::vector<double>& lower,
                     const std::vector<double>& upper) {
    return model::visit_activation(model, [&](auto phi) {
        if constexpr (decltype(phi)::piecewise_linear)
            return piecewise_linear_sums(stream, phi.negative_slope(), lower, upper);
        else
            return smooth_sums(stream, phi, lower, upper);
    });
}

// dx^l = sum over j <= l of kappa_j (n df/dx^j) + tau C_j g''_j: a neuron's backward field is phi'(x^L) v plus
// tau phi'(x^i) u^i for i < L, and K_min(i, l) is what dx^l has of u^i, K_l = sum over j <= l of kappa_j.
Responses linear_responses(const model::Model& model, std::uint32_t width, std::uint32_t depth) {
    const Stream stream = stream_of(model, depth);
    const StreamInjection injection(model, width, depth, 1);
    const double t2 = square(stream.tau) * stream.s2;
    std::vector<double> total{injection.first(stream).proportional}; // K
    for (std::size_t l = 1; l < depth; ++l)
        total.push_back(total.back() * (1 + t2 * stream.gauges[l - 1].e2)
                        + injection.hidden(stream, l, 0, 0).proportional);

    // Variances of the backward field's parts over phi'^2: of tau u^i, and of v.
    std::vector<double> part(depth, 1.0);
    for (std::size_t i = 0; i + 1 < depth; ++i) part[i] = square(stream.tau) * stream.u2(i);
    std::vector<double> lower(depth);
    for (std::size_t i = 0; i < depth; ++i) lower[i] = part[i] * square(total[i]);
    const Sums pairs = sums_over_pairs(model, stream, lower, part);

    Responses responses;
    double fresh = 0; // tau^2 sum of C^2
    double below = 0; // sum over i < l of part e2 K^2
    double above = 0; // sum over i >= l of part e2
    for (std::size_t i = 0; i < depth; ++i) above += part[i] * stream.gauges[i].e2;
    for (std::size_t l = 0; l < depth; ++l) {
        const double k2 = square(total[l]);
        const double e2 = stream.gauges[l].e2;
        responses.hidden.push_back(infinite_if_nan(below + k2 * above + fresh));
        fresh += t2 * (pairs.below[l] + k2 * pairs.above[l] + e2 * fresh);
        below += lower[l] * e2;
        above = std::max(above - part[l] * e2, 0.0);
    }
    responses.output =
        infinite_if_nan(square(total.back() * stream.gauges.back().e2 + injection.readout(stream, 0, 0)));
    return responses;
}

constexpr std::uint64_t replicates = 4;

// Neurons a replicate: a second's work or less for one step, but for the deepest.
std::uint32_t count_for(std::size_t depth) {
    std::uint32_t count = 1u << 13;
    while (count > 1u << 11 && std::size_t{count} * depth > 1u << 19) count /= 2;
    return count;
}

// x^l, n df/dx^l and u^l of the neurons of every layer.
struct Neurons {
    std::size_t count = 0;
    std::vector<double> x;
    std::vector<double> back;
    std::vector<double> u;
    std::vector<double> v;
    std::vector<double> fresh; // of variance 1

    const double* of(const std::vector<double>& field, std::size_t l) const { return &field[l * count]; }
};

template <class Phi>
Neurons draw_neurons(const Stream& stream, const Phi& phi, std::uint64_t replicate) {
    const std::size_t depth = stream.depth();
    const std::size_t n = count_for(depth);
    const Paths paths(count_for(depth), static_cast<std::uint32_t>(depth - 1), replicate);
    Neurons neurons;
    neurons.count = n;
    neurons.x.resize(depth * n);
    neurons.back.resize(depth * n);
    neurons.u.resize(depth * n);
    neurons.v = paths.start(1);
    neurons.fresh = paths.start(2);
    for (std::size_t i = 0; i < n; ++i) neurons.x[i] = std::sqrt(stream.s2) * paths.start(0)[i];
    for (std::size_t l = 1; l < depth; ++l) {
        const double step = stream.tau * std::sqrt(stream.s2 * stream.q(l - 1));
        const double* g = paths.forward(static_cast<std::uint32_t>(l - 1));
        for (std::size_t i = 0; i < n; ++i) neurons.x[l * n + i] = neurons.x[(l - 1) * n + i] + step * g[i];
    }
    for (std::size_t i = 0; i < n; ++i)
        neurons.back[(depth - 1) * n + i] = phi.slope(neurons.x[(depth - 1) * n + i]) * neurons.v[i];
    for (std::size_t l = depth - 1; l-- > 0;) {
        const double deviation = std::sqrt(stream.u2(l));
        const double* g = paths.backward(static_cast<std::uint32_t>(l));
        for (std::size_t i = 0; i < n; ++i) {
            neurons.u[l * n + i] = deviation * g[i];
            neurons.back[l * n + i] = neurons.back[(l + 1) * n + i]
                                      + stream.tau * phi.slope(neurons.x[l * n + i]) * deviation * g[i];
        }
    }
    // Samples of the known variances.
    for (std::size_t l = 0; l < depth; ++l)
        for (auto* field : {&neurons.x, &neurons.back}) {
            double* values = &(*field)[l * n];
            double square_sum = 0;
            for (std::size_t i = 0; i < n; ++i) square_sum += square(values[i]);
            const double scale =
                std::sqrt(static_cast<double>(n) * (field == &neurons.x ? stream.gauges[l].k : stream.pi[l])
                          / square_sum);
            if (std::isfinite(scale))
                for (std::size_t i = 0; i < n; ++i) values[i] *= scale;
        }
    return neurons;
}

enum class Order { linear, finite };

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// Single precision here is an error of 1e-6, far below that of the integration.
using Four __attribute__((vector_size(4 * sizeof(float)))) = float;

struct Integrated {
    Changes changes;
    double output_change = 0; // with its sign
};

template <class Phi>
Integrated integrate(const Stream& stream, const StreamInjection& injection, const Phi& phi,
                     const Neurons& neurons, Order order) {
    const std::size_t n = neurons.count;
    const std::size_t depth = stream.depth();
    const auto count = static_cast<double>(n);
    const double tau = stream.tau;
    std::vector<double> coherent(n, 0.0);
    std::vector<double> along(n, 0.0);
    double fresh = 0;
    double h = 0, m = 0, p = 0, s = 0; // of the layer below: E phi dphi, E dphi^2, E u dphi, E sgn(phi) dphi
    Changes changes;
    double total = 0;
    double grown = 0; // E coherent^2
    // E along^2 is known where all of it is a multiple of backward fields (linear_responses).
    const bool known = !injection.signs();
    double multiple = 0;
    double lower = 0;
    double upper = stream.pi.front();
    for (std::size_t l = 0; l < depth; ++l) {
        const double* x = neurons.of(neurons.x, l);
        const double* back = neurons.of(neurons.back, l);
        Added added;
        if (l == 0) {
            added = injection.first(stream);
        } else {
            const double q = stream.q(l - 1);
            const double a = h / q;
            added = injection.hidden(stream, l, h, s);
            added.proportional += tau * p / stream.pi[l];
            fresh += tau * tau * stream.s2 * std::max(m - a * h, 0.0);
            grown += square(a * tau) * stream.s2 * q;
            const double* below = neurons.of(neurons.x, l - 1);
            for (std::size_t i = 0; i < n; ++i) coherent[i] += a * (x[i] - below[i]);
        }
        double along2 = 0;
        for (std::size_t i = 0; i < n; ++i) {
            along[i] += added.proportional * back[i] + added.sign * sign(back[i]);
            along2 += square(along[i]) / count;
        }
        multiple += added.proportional;
        if (known) along2 = lower + square(multiple) * upper;
        const double part = (l + 1 < depth ? square(tau) * stream.u2(l) : 1) * stream.gauges[l].e2;
        lower += square(multiple) * part;
        upper -= part;
        const double dz2 = infinite_if_nan(along2 + grown + fresh);
        changes.last = dz2;
        changes.max = std::max(changes.max, dz2);
        total += dz2;

        const double* u = l + 1 < depth ? neurons.of(neurons.u, l) : neurons.v.data();
        h = m = p = s = 0;
        const double deviation = std::sqrt(fresh);
        for (std::size_t i = 0; i < n; ++i) {
            if (order == Order::linear) {
                const double moved = phi.slope(x[i]) * along[i];
                m += square(moved);
                p += u[i] * moved;
                continue;
            }
            const double value = phi.value(x[i]);
            const double spread = deviation * neurons.fresh[i];
            // Along the backward field and against it, each with both signs of the fresh part.
            float facts[Phi::facts];
            phi.study(static_cast<float>(x[i]), facts);
            const auto base = static_cast<float>(coherent[i]);
            const auto field = static_cast<float>(along[i]);
            const auto noise = static_cast<float>(spread);
            const Four moves = Four{field, field, -field, -field} + Four{noise, -noise, noise, -noise} + base;
            const Four one = Four{} + 1;
            const Four moved = phi.change([&](std::size_t j) { return facts[j]; }, moves, one, one);
            const double risen = double{moved[0]} + double{moved[1]};
            const double fallen = double{moved[2]} + double{moved[3]};
            const double sum = risen + fallen;
            h += value * sum;
            for (std::size_t j = 0; j < 4; ++j) m += square(double{moved[j]});
            p += u[i] * (risen - fallen);
            s += sign(value) * sum;
        }
        const double weight = order == Order::linear ? count : 4 * count;
        h /= weight;
        m /= weight;
        p /= weight;
        s /= weight;
        if (order == Order::linear) m += stream.gauges[l].e2 * fresh;
    }
    changes.mean = total / static_cast<double>(depth);
    const double output_change = p + injection.readout(stream, h, s);
    changes.output = infinite_if_nan(square(output_change));
    return {changes, output_change};
}

// The neurons of one model and depth; the last ones asked for are kept, as a search over rates asks for the same.
struct Population {
    model::Model model;
    std::uint32_t depth = 0;
    Stream stream;
    std::vector<Neurons> neurons;
};

std::shared_ptr<const Population> population_of(const model::Model& model, std::uint32_t depth) {
    static thread_local std::shared_ptr<const Population> last;
    // Only the network matters, not its step.
    model::Model network = model;
    network.optimizer = {};
    network.train = {};
    network.parametrization = {};
    network.biases = false;
    if (last && last->depth == depth && last->model == network) return last;
    last.reset();
    auto population = std::make_shared<Population>(Population{network, depth, stream_of(network, depth), {}});
    model::visit_activation(network, [&](auto phi) {
        for (std::uint64_t r = 1; r <= replicates; ++r)
            population->neurons.push_back(draw_neurons(population->stream, phi, r));
    });
    last = population;
    return last;
}

// Of every replicate, by a step of this base rate.
std::vector<Integrated> integrate_all(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                      double eta, Order order) {
    const auto population = population_of(model, depth);
    const StreamInjection injection(model, width, depth, eta);
    std::vector<Integrated> all;
    model::visit_activation(model, [&](auto phi) {
        for (const auto& neurons : population->neurons)
            all.push_back(integrate(population->stream, injection, phi, neurons, order));
    });
    return all;
}

bool is_sign(const model::Model& model) { return model.optimizer == model::optimizer_of<model::Sign>; }

// The linear order of one model, width and depth: what the replicates make of it, and where it is known itself.
struct LinearOrder {
    std::vector<Integrated> sampled;
    std::optional<Responses> known;
};

// The last one asked for is kept: finite steps of all rates need the same.
std::shared_ptr<const LinearOrder> linear_order(const model::Model& model, std::uint32_t width,
                                                std::uint32_t depth) {
    struct Last {
        model::Model model;
        std::uint32_t width = 0;
        std::uint32_t depth = 0;
        std::shared_ptr<const LinearOrder> order;
    };
    static thread_local Last last;
    if (!last.order || last.width != width || last.depth != depth || !(last.model == model)) {
        LinearOrder order{integrate_all(model, width, depth, 1, Order::linear), std::nullopt};
        if (!is_sign(model)) order.known = linear_responses(model, width, depth);
        last = {model, width, depth, std::make_shared<const LinearOrder>(std::move(order))};
    }
    return last.order;
}

// 1 where there is none.
double ratio(double a, double b) { return std::isfinite(a / b) && a > 0 ? a / b : 1; }

// Relative, of what all replicates share where no control variate takes it out: neighbouring depths differ by as much.
constexpr double common_error = 4e-3;

Changes mean_of(const std::vector<Integrated>& all) {
    Changes mean;
    double output = 0;
    for (const auto& [changes, output_change] : all) {
        mean.last += changes.last / replicates;
        mean.max += changes.max / replicates;
        mean.mean += changes.mean / replicates;
        output += output_change / replicates;
    }
    mean.output = infinite_if_nan(square(output));
    double squares = 0;
    for (const auto& one : all) squares += square(one.changes.last / mean.last - 1);
    if (std::isfinite(mean.last)) mean.error = std::sqrt(squares / (replicates - 1) / replicates);
    return mean;
}

// Where no linear order is known to divide by.
Changes uncontrolled(const std::vector<Integrated>& all) {
    auto mean = mean_of(all);
    if (std::isfinite(mean.last)) mean.error = std::hypot(mean.error, common_error);
    return mean;
}

Changes finite_changes(const model::Model& model, std::uint32_t width, std::uint32_t depth, double eta) {
    auto all = integrate_all(model, width, depth, eta, Order::finite);
    if (is_sign(model)) return uncontrolled(all);
    // The linear order is a control variate: what the same neurons make of it is divided out.
    const auto linear = linear_order(model, width, depth);
    const auto& known = *linear->known;
    for (std::size_t r = 0; r < all.size(); ++r) {
        auto& [changes, output_change] = all[r];
        const auto& sampled = linear->sampled[r].changes;
        changes.last *= ratio(known.of(Layer::last), sampled.last);
        changes.max *= ratio(known.of(Layer::max), sampled.max);
        changes.mean *= ratio(known.of(Layer::mean), sampled.mean);
        output_change *= std::sqrt(ratio(known.of(Layer::output), sampled.output));
    }
    return mean_of(all);
}

} // namespace

bool ResidualStream::covers(const model::Model& model) const {
    return model.architecture == model::architecture_of<model::Residual>;
}

bool ResidualStream::reaches(const model::Model& /*model*/, std::uint32_t depth) const {
    constexpr std::uint32_t deepest = std::uint32_t{1} << 14;
    return depth <= deepest;
}

std::optional<double> ResidualStream::response(const model::Model& model, std::uint32_t width,
                                               std::uint32_t depth, Layer layer) const {
    if (!reaches(model, depth)) return std::nullopt;
    if (is_sign(model)) return uncontrolled(linear_order(model, width, depth)->sampled).of(layer);
    return linear_responses(model, width, depth).of(layer);
}

double ResidualStream::response_error(const model::Model& model, std::uint32_t width,
                                      std::uint32_t depth) const {
    if (!is_sign(model) || !reaches(model, depth)) return 0;
    return uncontrolled(linear_order(model, width, depth)->sampled).error;
}

std::optional<Changes> ResidualStream::changes(const model::Model& model, std::uint32_t width,
                                               std::uint32_t depth, double eta) const {
    if (!reaches(model, depth)) return std::nullopt;
    return finite_changes(model, width, depth, eta);
}

std::optional<double> ResidualStream::size(const model::Model& model, std::uint32_t /*width*/,
                                           std::uint32_t depth, Layer layer) const {
    if (layer == Layer::output) return std::nullopt;
    Responses sizes;
    for (const auto& gauge : stream_of(model, depth).gauges) sizes.hidden.push_back(gauge.k);
    return sizes.of(layer);
}

} // namespace etastar::theory

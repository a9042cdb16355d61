// One step at infinite width against an integration over the fields of each layer that knows no closed form, no unit of
// length and no adaptive rule.
#include "etastar/theory/finite_step.hpp"
#include "etastar/theory/infinite_width.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <boost/math/quadrature/gauss.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace etastar;
using model::Activation;
using model::Model;
using model::Optimizer;
using theory::Layer;

namespace {

constexpr Layer layers[] = {Layer::last, Layer::max, Layer::mean, Layer::output};
const auto activations = test::names<Activation>();
const auto optimizers = test::names<Optimizer>();

Model model_of(const std::string& activation, const std::string& optimizer) {
    Model model;
    model.activation = parse_name<Activation>(activation);
    model.optimizer = parse_name<Optimizer>(optimizer);
    model.input_dim = 64;
    return model;
}

using Nodes = std::vector<std::pair<double, double>>;

// Of a standard normal, in panels between these edges.
Nodes normal_nodes(std::vector<double> edges) {
    using Gauss = boost::math::quadrature::gauss<double, 20>;
    Nodes nodes;
    for (std::size_t e = 0; e + 1 < edges.size(); ++e) {
        const double half = (edges[e + 1] - edges[e]) / 2;
        for (std::size_t i = 0; i < 10; ++i)
            for (const double sign : {-1.0, 1.0}) {
                const double x = edges[e] + half * (1 + sign * Gauss::abscissa()[i]);
                nodes.emplace_back(x,
                                   half * Gauss::weights()[i] * std::exp(-x * x / 2) / std::sqrt(2 * M_PI));
            }
    }
    return nodes;
}

double sgn(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// A term left out of the reference, to see that it matters.
enum class Omit { nothing, h, s, p, m, bias, backward };

theory::Changes reference(const Model& model, std::uint32_t width, std::uint32_t depth, double eta,
                          Omit omit = Omit::nothing) {
    return model::visit_activation(model, [&](auto phi) {
        const double n = width;
        const auto laws = model::layer_laws(model, width, depth);
        const bool signs = model.optimizer == model::optimizer_of<model::Sign>;
        const bool normalized = model.optimizer == model::optimizer_of<model::Normalized>;
        const double s2 = model.gain();
        const auto fine = [&](double deviation) {
            // Edges where phi' changes its sign, too.
            std::vector<double> edges{-8, -5.5, -3, -1.5, 0, 1.5, 3, 5.5, 8};
            for (const double zero : {-0.7517915247, -1.2784645427})
                if (std::abs(phi.slope(zero)) < 1e-9) edges.push_back(zero / deviation);
            std::sort(edges.begin(), edges.end());
            return normal_nodes(edges);
        };
        std::vector<double> k{s2}, q, e2;
        for (std::uint32_t l = 0; l < depth; ++l) {
            q.push_back(0);
            e2.push_back(0);
            for (const auto& [x, w] : fine(std::sqrt(k[l]))) {
                q[l] += w * std::pow(phi.value(std::sqrt(k[l]) * x), 2);
                e2[l] += w * std::pow(phi.slope(std::sqrt(k[l]) * x), 2);
            }
            k.push_back(s2 * q[l]);
        }
        std::vector<double> p(depth, 1.0);
        for (std::uint32_t l = depth - 1; l-- > 0;) p[l] = s2 * e2[l + 1] * p[l + 1];
        if (omit == Omit::backward) p.assign(depth, 1.0);

        const Nodes own = normal_nodes({-8, -4, -1.5, 0, 1.5, 4, 8});
        const Nodes fresh = normal_nodes({-8, -4, -1.5, 0, 1.5, 4, 8});
        double H = 0, M = 0, P = 0, S = 0, modulus = 0;
        theory::Changes changes;
        double output = 0;
        for (std::uint32_t l = 0; l < depth; ++l) {
            const double bias = omit == Omit::bias ? 0 : (l == 0 ? laws.first : laws.hidden).bias_rate;
            const double rate = (l == 0 ? laws.first : laws.hidden).rate;
            double a = 0, b = 0, c = 0, d = 0;
            if (l > 0) {
                a = H / q[l - 1];
                b = s2 * P / std::sqrt(s2 * e2[l]);
                c = std::sqrt(s2 * std::max(M - H * H / q[l - 1], 0.0));
            }
            // h . (h + dh), ||h|| and sgn h . (h + dh), with the first layer's own.
            const double product = l == 0 ? model.input_dim : n * (q[l - 1] + H);
            const double length = std::sqrt(l == 0 ? model.input_dim : n * q[l - 1]);
            const double sum = l == 0 ? model.input_dim : n * (modulus + S);
            const double delta = std::sqrt(e2[l] * p[l] / n); // ||delta||
            const double unit = std::sqrt(p[l]) / n;          // n^-1 p^(1/2) phi' g' = delta
            if (signs)
                d = eta * (rate * sum + bias);
            else if (normalized)
                b += eta * unit / delta * (rate * product / length + bias);
            else
                b += eta * unit * (rate * product + bias);

            double dz2 = 0, nextH = 0, nextM = 0, nextP = 0, nextS = 0;
            modulus = 0;
            const double deviation = std::sqrt(k[l]);
            for (const auto& [x, w] : fine(deviation)) {
                const double z = deviation * x;
                const double value = phi.value(z);
                const double slope = phi.slope(z);
                modulus += w * std::abs(value);
                for (const auto& [g, v] : own)
                    for (const auto& [g2, u] : fresh) {
                        const double dz = a * z + b * slope * g + d * sgn(slope * g) + c * g2;
                        const double dphi = phi.value(z + dz) - value;
                        const double weight = w * v * u;
                        dz2 += weight * dz * dz;
                        nextH += weight * value * dphi;
                        nextM += weight * dphi * dphi;
                        nextP += weight * g * dphi;
                        nextS += weight * sgn(value) * dphi;
                    }
            }
            H = omit == Omit::h ? 0 : nextH;
            M = omit == Omit::m ? 0 : nextM;
            P = omit == Omit::p ? 0 : nextP;
            S = omit == Omit::s ? 0 : nextS;
            changes.last = dz2;
            changes.max = std::max(changes.max, dz2);
            changes.mean += dz2 / depth;
        }
        const double top = n * laws.readout.rate * eta;
        output = P
                 + (signs        ? top * (modulus + S)
                    : normalized ? top / std::sqrt(n * q.back()) * (q.back() + H)
                                 : top * (q.back() + H));
        changes.output = output * output;
        return changes;
    });
}

double rate(const Model& model, std::uint32_t depth, double threshold = 1) {
    return theory::critical_rate(*theory::InfiniteWidth().response(model, 1, depth, Layer::last), threshold);
}

// Of a rate between L = 5000 and 10 000.
template <class Rate>
double exponent(Rate rate) {
    return std::log2(rate(10'000u) / rate(5'000u));
}

} // namespace

TEST_CASE("a step agrees with an integration over its fields") {
    constexpr std::uint32_t width = 100;
    for (const auto& activation : activations)
        for (const auto& optimizer : optimizers) {
            auto model = model_of(activation, optimizer);
            model.biases = true;
            model.weight_variance = 1.7;
            model.leak = 0.3;
            const bool kinks = activation == "relu" || activation == "leaky-relu";
            for (const double eta : {0.05, 0.6}) {
                const auto expected = reference(model, width, 3, eta);
                const auto changes = theory::infinite_width_changes(model, width, 3, eta);
                INFO(activation << ", " << optimizer << ", eta " << eta);
                for (const auto layer : layers)
                    CHECK(changes.of(layer)
                          == Catch::Approx(expected.of(layer)).epsilon(kinks ? 2e-3 : 1e-7));
            }
        }
}

TEST_CASE("no term of a step may be left out") {
    for (const auto& optimizer : optimizers) {
        auto model = model_of("silu", optimizer);
        model.biases = true;
        model.weight_variance = 1.7;
        const auto expected = theory::infinite_width_changes(model, 100, 3, 0.6);
        for (const auto omit : {Omit::h, Omit::s, Omit::p, Omit::m, Omit::bias, Omit::backward}) {
            const bool signs = optimizer == "sign";
            if (omit == Omit::s && !signs) continue;
            if (omit == Omit::backward && optimizer != "sgd") continue;
            CHECK(reference(model, 100, 3, 0.6, omit).last != Catch::Approx(expected.last).epsilon(1e-3));
        }
    }
}

TEST_CASE("closed forms of one slope and of two agree") {
    for (const auto train : {model::Train::all, model::Train::first, model::Train::hidden})
        for (const std::uint32_t depth : {1u, 2u, 30u, 1000u})
            for (const double scaled : {1e-9, 1e-2, 1.0, 30.0}) {
                auto model = model_of("relu", "sgd");
                model.train = train;
                const double eta = scaled / std::pow(depth, 1.5);
                const auto expected = theory::finite_step(model, 1, depth, eta).changes();
                const auto changes = theory::infinite_width_changes(model, 1, depth, eta);
                for (const auto layer : layers)
                    CHECK(changes.of(layer)
                          == Catch::Approx(expected.of(layer)).epsilon(1e-10).margin(1e-300));
                model.activation = model::activation_of<model::LeakyRelu>;
                model.leak = 0;
                CHECK(theory::infinite_width_changes(model, 1, depth, eta).last == changes.last);
            }
}

TEST_CASE("a small step is the linear response, whatever the network and the step") {
    for (const auto& activation : activations)
        for (const auto& optimizer : optimizers)
            for (const std::uint32_t depth : {1u, 4u, 20u}) {
                const auto model = model_of(activation, optimizer);
                const auto responses = theory::infinite_width_responses(model, 7, depth);
                const auto changes = theory::infinite_width_changes(model, 7, depth, 1e-8);
                INFO(activation << ", " << optimizer << ", L = " << depth);
                for (const auto layer : layers)
                    CHECK(changes.of(layer) == Catch::Approx(1e-16 * responses.of(layer)).epsilon(2e-5));
            }
}

TEST_CASE("exponents of the depth to linear order") {
    for (const char* activation : {"relu", "leaky-relu", "linear"})
        for (const auto& optimizer : optimizers) {
            const auto model = model_of(activation, optimizer);
            CHECK(exponent([&](std::uint32_t depth) { return rate(model, depth); })
                  == Catch::Approx(-1.5).margin(1e-3));
        }
    // Against gradient descent, of a ReLU network.
    const double sgd = rate(model_of("relu", "sgd"), 10'000);
    CHECK(rate(model_of("relu", "normalized"), 10'000) / sgd == Catch::Approx(std::sqrt(0.5)).epsilon(1e-3));
    CHECK(rate(model_of("relu", "sign"), 10'000) / sgd == Catch::Approx(M_PI / std::sqrt(2)).epsilon(1e-3));
    for (const char* activation : {"tanh", "erf"})
        for (const auto& optimizer : optimizers) {
            const auto model = model_of(activation, optimizer);
            const bool descent = optimizer == "sgd";
            CHECK(exponent([&](std::uint32_t depth) { return rate(model, depth); })
                  == Catch::Approx(descent ? -0.5 : -1).margin(0.01));
            CHECK(exponent([&](std::uint32_t depth) {
                      return rate(model, depth, *theory::InfiniteWidth().size(model, 1, depth, Layer::last));
                  })
                  == Catch::Approx(descent ? -1 : -1.5).margin(0.01));
        }
}

TEST_CASE("bounded activations saturate: at a fixed threshold no rate is too large") {
    for (const auto& [activation, curvature] : {std::pair{"tanh", 2.0}, {"erf", M_PI / 2}}) {
        const auto model = model_of(activation, "sgd");
        const double expected = 5 / (curvature * 200);
        CHECK(theory::infinite_width_changes(model, 1, 200, 3).last == Catch::Approx(expected).epsilon(0.05));
        const theory::InfiniteWidth theory;
        CHECK(!theory::critical_step_rate(theory, model, 1, 30, Layer::last, 1));
        const double size = *theory.size(model, 1, 30, Layer::last);
        CHECK(theory::critical_step_rate(theory, model, 1, 30, Layer::last, 0.1 * size));
    }
}

TEST_CASE("the size of layers") {
    CHECK(*theory::InfiniteWidth().size(model_of("relu", "sgd"), 1, 9, Layer::last) == Catch::Approx(2));
    auto model = model_of("linear", "sign");
    model.weight_variance = 3;
    CHECK(*theory::InfiniteWidth().size(model, 1, 4, Layer::last) == Catch::Approx(81));
    CHECK(*theory::InfiniteWidth().size(model, 1, 4, Layer::mean) == Catch::Approx(30));
    CHECK(!theory::InfiniteWidth().size(model, 1, 4, Layer::output));
    // k' = E tanh^2: a half at about 1.
    CHECK(*theory::InfiniteWidth().size(model_of("tanh", "sgd"), 1, 2, Layer::last)
          == Catch::Approx(0.394294).epsilon(1e-5));
}

TEST_CASE("what leaves the range of double is infinite, of any activation") {
    for (const auto& activation : activations)
        for (const auto& optimizer : optimizers)
            for (const double s2 : {1e-3, 30.0}) {
                auto model = model_of(activation, optimizer);
                model.weight_variance = s2;
                const auto responses = theory::infinite_width_responses(model, 1, 300);
                for (const auto layer : layers) CHECK(responses.of(layer) >= 0);
                for (const double eta : {1e-300, 1e3, 1e300}) {
                    const auto changes = theory::infinite_width_changes(model, 1, 2, eta);
                    for (const auto layer : layers) CHECK(changes.of(layer) >= 0);
                }
            }
}

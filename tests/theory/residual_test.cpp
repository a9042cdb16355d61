#include "etastar/theory/residual.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <boost/math/quadrature/gauss.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace etastar;
using model::Model;
using theory::Layer;

namespace {

const theory::ResidualStream stream;
constexpr Layer layers[] = {Layer::last, Layer::max, Layer::mean, Layer::output};

Model model_of(const std::string& activation, const std::string& optimizer, double power = 0.5) {
    Model model;
    model.activation = parse_name<model::Activation>(activation);
    model.optimizer = parse_name<model::Optimizer>(optimizer);
    model.architecture = model::architecture_of<model::Residual>;
    model.branch_power = power;
    model.input_dim = 64;
    return model;
}

double rate(const Model& model, std::uint32_t depth) {
    return theory::critical_rate(*stream.response(model, 1, depth, Layer::last));
}

using Nodes = std::vector<std::pair<double, double>>;

Nodes normal_nodes(int panels) {
    using Gauss = boost::math::quadrature::gauss<double, 7>;
    Nodes nodes;
    const double half = 6.0 / panels;
    for (int e = 0; e < panels; ++e)
        for (std::size_t i = 0; i < 4; ++i)
            for (const double sign : {-1.0, 1.0}) {
                if (i == 0 && sign > 0) continue; // the node at 0
                const double x = -6 + half * (2 * e + 1 + sign * Gauss::abscissa()[i]);
                nodes.emplace_back(x,
                                   half * Gauss::weights()[i] * std::exp(-x * x / 2) / std::sqrt(2 * M_PI));
            }
    return nodes;
}

double sgn(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// Two layers, every field integrated over: x^1, g^2 (so x^2), v and u^1, on which dx^1 depends.
double two_layers(const Model& model, double eta) {
    return model::visit_activation(model, [&](auto phi) {
        const double s2 = model.gain();
        const double tau = model::layer_laws(model, 1, 2).hidden.block.branch;
        const bool signs = model.optimizer == model::optimizer_of<model::Sign>;
        const bool normalized = model.optimizer == model::optimizer_of<model::Normalized>;
        const Nodes nodes = normal_nodes(4);
        double q1 = 0, modulus = 0, e1 = 0, e2 = 0;
        for (const auto& [x, w] : nodes) {
            const double z = std::sqrt(s2) * x;
            q1 += w * std::pow(phi.value(z), 2);
            modulus += w * std::abs(phi.value(z));
            e1 += w * std::pow(phi.slope(z), 2);
        }
        const double step = tau * std::sqrt(s2 * q1);
        for (const auto& [x, w] : nodes) e2 += w * std::pow(phi.slope(std::sqrt(s2 + step * step) * x), 2);
        const double pi2 = e2;
        const double u2 = s2 * pi2;
        const double pi1 = pi2 + tau * tau * e1 * u2;

        double h = 0, m = 0, p = 0, s = 0;
        const double first = normalized ? eta / std::sqrt(pi1) : eta;
        const auto change1 = [&](double back) { return signs ? first * sgn(back) : first * back; };
        for (const auto& [x, wx] : nodes)
            for (const auto& [g, wg] : nodes) {
                const double x1 = std::sqrt(s2) * x;
                const double slope2 = phi.slope(x1 + step * g);
                for (const auto& [v, wv] : nodes)
                    for (const auto& [u, wu] : nodes) {
                        const double back = slope2 * v + tau * phi.slope(x1) * std::sqrt(u2) * u;
                        const double dphi = phi.value(x1 + change1(back)) - phi.value(x1);
                        const double w = wx * wg * wv * wu;
                        h += w * phi.value(x1) * dphi;
                        m += w * dphi * dphi;
                        p += w * std::sqrt(u2) * u * dphi;
                        s += w * sgn(phi.value(x1)) * dphi;
                    }
            }
        // dx^2 = dx^1 + tau (h/q z + p/pi P^2 + fresh) + injection.
        const double added = tau * p / pi2
                             + (signs        ? 0
                                : normalized ? tau * eta * (q1 + h) / std::sqrt(q1 * pi2)
                                             : tau * tau * eta * (q1 + h));
        const double sign_added = signs ? tau * eta * (modulus + s) : 0;
        double dx2 = std::pow(h / q1 * step, 2) + tau * tau * s2 * (m - h * h / q1);
        for (const auto& [x, wx] : nodes)
            for (const auto& [g, wg] : nodes) {
                const double x1 = std::sqrt(s2) * x;
                const double slope2 = phi.slope(x1 + step * g);
                for (const auto& [v, wv] : nodes)
                    for (const auto& [u, wu] : nodes) {
                        const double back2 = slope2 * v;
                        const double back1 = back2 + tau * phi.slope(x1) * std::sqrt(u2) * u;
                        dx2 += wx * wg * wv * wu
                               * std::pow(change1(back1) + added * back2 + sign_added * sgn(back2), 2);
                    }
            }
        return dx2;
    });
}

} // namespace

TEST_CASE("two layers agree with an integration over all fields") {
    for (const char* activation : {"tanh", "gelu"})
        for (const char* optimizer : {"sgd", "sign", "normalized"}) {
            const auto model = model_of(activation, optimizer);
            INFO(activation << ", " << optimizer);
            const double margin = std::string(optimizer) == "sign" ? 0.02 : 2e-3;
            for (const double eta : {1e-5, 0.7}) {
                const auto changes = *stream.changes(model, 1, 2, eta);
                const double expected = two_layers(model, eta);
                CHECK(changes.last == Catch::Approx(expected).epsilon(margin));
                CHECK(changes.error < margin);
                if (eta > 0.1) continue;
                CHECK(eta * eta * *stream.response(model, 1, 2, Layer::last)
                      == Catch::Approx(expected).epsilon(margin));
            }
            // Nor is the finite step the linear one.
            CHECK(two_layers(model, 2) != Catch::Approx(4e10 * two_layers(model, 1e-5)).epsilon(0.03));
        }
}

TEST_CASE("the linear order in closed form is what the paths give") {
    for (const std::string activation : {"leaky-relu", "tanh", "silu"})
        for (const char* optimizer : {"sgd", "normalized"})
            for (const double power : {0.0, 0.5})
                for (const std::uint32_t depth : {1u, 12u}) {
                    const auto model = model_of(activation, optimizer, power);
                    const double eta = 1e-6 * rate(model, depth);
                    const auto changes = *stream.changes(model, 1, depth, eta);
                    INFO(activation << ", " << optimizer << ", A = " << power << ", L = " << depth);
                    for (const auto layer : layers)
                        CHECK(changes.of(layer)
                              == Catch::Approx(eta * eta * *stream.response(model, 1, depth, layer))
                                     .epsilon(5e-3));
                }
}

TEST_CASE("a linear residual network by its own recursion") {
    // phi = z: P^l and x^l are independent, and E phi'^2 phi'^2 = 1.
    const auto model = model_of("linear", "sgd");
    constexpr std::uint32_t depth = 40;
    const double t2 = 1.0 / depth;
    double total = 1, q = 1, fresh = 0, paired = 0;
    // E dx^2 = sum over the parts of P of K_min^2.
    std::vector<double> totals{total};
    for (std::uint32_t l = 1; l < depth; ++l, q *= 1 + t2) {
        total = total * (1 + t2) + t2 * q;
        totals.push_back(total);
    }
    const auto pi = [&](std::uint32_t l) { return std::pow(1 + t2, depth - 1 - l); };
    for (std::uint32_t l = 0; l < depth; ++l) {
        paired = totals[l] * totals[l] * pi(l);
        for (std::uint32_t i = 0; i < l; ++i) paired += t2 * pi(i + 1) * totals[i] * totals[i];
        if (l + 1 < depth) fresh += t2 * (paired + fresh);
    }
    CHECK(*stream.response(model, 1, depth, Layer::last) == Catch::Approx(paired + fresh).epsilon(1e-10));
}

TEST_CASE("exponents of residual networks to linear order") {
    const auto slope = [](const Model& model, std::uint32_t depth) {
        return std::log2(rate(model, 2 * depth) / rate(model, depth));
    };
    for (const char* activation : {"relu", "tanh", "silu"}) {
        for (const char* optimizer : {"sgd", "normalized"})
            CHECK(slope(model_of(activation, optimizer, 1), 400) == Catch::Approx(0).margin(0.01));
        CHECK(slope(model_of(activation, "sgd", 0.5), 400) == Catch::Approx(0).margin(0.02));
        CHECK(slope(model_of(activation, "normalized", 0.5), 400) == Catch::Approx(-0.5).margin(0.05));
    }
    CHECK(slope(model_of("tanh", "sign", 1), 20) == Catch::Approx(0).margin(0.05));
    CHECK(slope(model_of("tanh", "sign", 0.5), 100) == Catch::Approx(-0.5).margin(0.07));
    // tau = 1: factors of 2 a layer.
    CHECK(rate(model_of("relu", "sgd", 0), 301) / rate(model_of("relu", "sgd", 0), 300)
          == Catch::Approx(0.5).epsilon(0.01));
    CHECK(rate(model_of("relu", "normalized", 0), 301) / rate(model_of("relu", "normalized", 0), 300)
          == Catch::Approx(std::sqrt(0.5)).epsilon(0.01));
}

TEST_CASE("the same paths in every call") {
    const auto model = model_of("tanh", "sign");
    const auto first = *stream.changes(model, 1, 9, 0.3);
    const auto other = *stream.changes(model_of("relu", "sgd"), 1, 5, 0.3);
    const auto second = *stream.changes(model, 1, 9, 0.3);
    CHECK(first.last == second.last);
    CHECK(first.output == second.output);
    CHECK(first.error > 0);
    CHECK(other.last != first.last);
}

TEST_CASE("a residual network's rate of a real step") {
    const auto model = model_of("tanh", "sgd");
    const auto found = theory::critical_step_rate(stream, model, 1, 10, Layer::last, 0.5);
    REQUIRE(found);
    CHECK(*stream.change2(model, 1, 10, Layer::last, *found) == Catch::Approx(0.5).epsilon(1e-3));
    const double error = theory::step_rate_error(stream, model, 1, 10, Layer::last, *found);
    CHECK(error > 0);
    CHECK(error < 0.01);
}

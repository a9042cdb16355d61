#include "etastar/engine/engine.hpp"

#include "change.hpp"
#include "dense.hpp"
#include "implicit.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

namespace etastar::engine {

NetworkOutcome Engine::run(const model::NetworkId& id, std::span<const double> etas) {
    const model::RandomNetwork network(id, settings_.model);
    const auto& laws = network.laws();
    passes_.output = 0;
    passes_.layers.assign(std::size_t{id.depth} + 1, {});
    const double n0 = network.input_dim();
    passes_.layers[0] = {.z2 = n0, .h2 = n0, .h1 = n0}; // of x, whose entries are signs
    pass(network, passes_);
    const auto& layers = passes_.layers;

    NetworkOutcome outcome;
    outcome.target = network.target();
    outcome.output = passes_.output;
    outcome.size.reserve(id.depth);
    for (std::size_t l = 1; l <= id.depth; ++l) outcome.size.push_back(layers[l].z2 / id.width);

    const auto rule = model::step_rule(settings_.model.optimizer);
    const double error = this->error(outcome);
    std::vector<double> gains;
    gains.reserve(etas.size());
    for (const double eta : etas) gains.push_back(-eta * error);
    ChangeColumns columns(rule, gains, id.width);
    change(network, passes_, columns);

    // df/deta = -error Theta. A group of weights adds m weight(|u|, |w|) (u . d(u)) (w . d(w)).
    const auto length = [&](double one, double two) { return rule.signs ? one : two; };
    const auto& top = layers[id.depth];
    double theta = laws.readout.rate * rule.weight(1, std::sqrt(top.h2)) * length(top.h1, top.h2);
    for (std::uint32_t layer = 1; layer <= id.depth; ++layer) {
        const auto& law = laws[layer];
        if (!law.moves()) continue;
        const auto& below = layers[layer - 1];
        const auto& here = layers[layer];
        const double tau = law.block.branch;
        const double u = tau * std::sqrt(here.p2);
        theta += length(tau * here.p1, tau * tau * here.p2)
                 * (law.rate * rule.weight(u, std::sqrt(below.h2)) * length(below.h1, below.h2)
                    + law.bias_rate * rule.weight(u, 1));
    }
    outcome.response_output = theta * theta;
    outcome.steps = columns.outcomes(outcome.output, laws.readout, {top.h2, top.h1, 0});
    outcome.response = columns.take_responses();
    if (settings_.precision == Precision::single_) keep_in_range(outcome);
    return outcome;
}

// Of an activation with a scale of its own z cannot be held in a unit, and bounded changes of it are tiny against a large
// dz: beyond these sizes single precision has lost them without a sign of it.
void Engine::keep_in_range(NetworkOutcome& outcome) const {
    if (model::visit_activation(settings_.model, [](auto phi) { return phi.homogeneous; })) return;
    constexpr double smallest = 1e-60; // of ||z||^2 / n
    constexpr double largest = 1e60;
    constexpr double largest_step = 1e30; // of ||dz||^2 / n
    const auto lost = std::numeric_limits<double>::quiet_NaN();
    for (const double size : outcome.size)
        if (!(size >= smallest && size <= largest)) outcome.output = lost;
    for (auto& step : outcome.steps)
        if (!(step.dz2_max <= largest_step)) step = {lost, lost, lost, lost};
}

namespace {

// factory(std::type_identity<E>{}) for the engine E of these settings.
template <class Factory>
auto with_engine(const Settings& settings, Factory factory) {
    const bool wide = settings.precision == Precision::double_;
    if (settings.kind == EngineKind::implicit)
        return wide ? factory(std::type_identity<ImplicitEngine<double>>{})
                    : factory(std::type_identity<ImplicitEngine<float>>{});
    return wide ? factory(std::type_identity<DenseEngine<double>>{})
                : factory(std::type_identity<DenseEngine<float>>{});
}

} // namespace

std::unique_ptr<Engine> make_engine(const Settings& settings) {
    return with_engine(settings, [&]<class E>(std::type_identity<E>) -> std::unique_ptr<Engine> {
        return std::make_unique<E>(settings);
    });
}

Cost cost(const Settings& settings, std::uint32_t width, std::uint32_t depth, std::size_t rates) {
    return with_engine(
        settings, [&]<class E>(std::type_identity<E>) { return E::cost(settings, width, depth, rates); });
}

} // namespace etastar::engine

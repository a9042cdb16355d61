#include "etastar/engine/engine.hpp"

#include "etastar/engine/change.hpp"
#include "etastar/engine/implicit.hpp"
#include "etastar/error.hpp"

#include "dense_engine.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace etastar::engine {

NetworkOutcome Engine::run(const model::NetworkId& id, std::span<const double> etas) {
    const model::RandomNetwork network(id, settings_.model);
    const auto& laws = network.laws();
    passes_.q.assign(std::size_t{id.depth} + 1, 0.0);
    passes_.delta2.assign(std::size_t{id.depth} + 1, 0.0);
    pass(network, passes_);

    NetworkOutcome outcome;
    outcome.target = network.target();
    outcome.output = passes_.output;
    const double error = outcome.output - outcome.target;
    std::vector<double> gains;
    gains.reserve(etas.size());
    for (const double eta : etas) gains.push_back(-eta * error);
    ChangeColumns columns(gains, id.width);
    change(network, passes_, columns);

    double theta = laws.readout.rate * passes_.q[id.depth];
    for (std::uint32_t layer = 1; layer <= id.depth; ++layer)
        theta += laws[layer].rate * passes_.q[layer - 1] * passes_.delta2[layer];
    outcome.response_output = theta * theta;
    outcome.steps = columns.outcomes(outcome.output, laws.readout.rate, passes_.q[id.depth]);
    outcome.response = columns.take_responses();
    return outcome;
}

namespace {

// factory(std::type_identity<E>{}) for the engine E of these settings.
template <class Factory>
auto with_engine(const Settings& settings, Factory factory) {
    return model::visit(settings.model.activation, [&]<class Activation>(Activation) {
        if (settings.kind == EngineKind::implicit) {
            // Its kernels are a ReLU's: masks, and z . delta = f.
            if (!std::is_same_v<Activation, model::Relu>)
                throw UsageError(fmt::format("engine: 'implicit' does not have activation {}; use dense",
                                             Activation::name));
            return factory(std::type_identity<ImplicitEngine>{});
        }
        if (settings.precision == Precision::double_)
            return factory(std::type_identity<DenseEngine<double, Activation>>{});
        return factory(std::type_identity<DenseEngine<float, Activation>>{});
    });
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

#include "exact.hpp"

#include "etastar/analysis/variance.hpp"

#include <cmath>

namespace etastar::analysis {

double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                      theory::Layer layer) {
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::finite_width);
    const auto response = theory == nullptr ? std::nullopt : theory->response(model, width, depth, layer);
    return response.value_or(std::nan(""));
}

std::optional<double> bound(const TrialTable& table, theory::Regime regime, std::uint32_t width,
                            std::uint32_t depth, theory::Layer layer, double threshold, bool relative) {
    if (!relative) return threshold;
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, regime);
    return theory == nullptr ? std::nullopt
                             : theory::bound(*theory, model, width, depth, layer, threshold, relative);
}

std::optional<double> infinite_rate(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                    theory::Layer layer, double threshold, theory::Criterion criterion) {
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::infinite_width);
    return theory == nullptr ? std::nullopt
                             : theory::rate(*theory, criterion, model, width, depth, layer, threshold);
}

double infinite_rate_error(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                           theory::Layer layer, double rate, theory::Criterion criterion) {
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::infinite_width);
    return theory == nullptr ? 0 : theory::rate_error(*theory, criterion, model, width, depth, layer, rate);
}

std::optional<double> infinite_change2(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                                       theory::Layer layer, double eta) {
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::infinite_width);
    return theory == nullptr ? std::nullopt : theory->change2(model, width, depth, layer, eta);
}

bool infinite_width_is_one(const TrialTable& table) {
    return table.plan.spec().model.parametrization == model::Parametrization::mup;
}

bool infinite_step_is_costly(const TrialTable& table) {
    const auto& model = table.plan.spec().model;
    return model.optimizer
               == model::optimizer_of<
                   model::Sign> || model.architecture != model::architecture_of<model::Mlp>;
}

// Of ReLU networks and gradient descent: with hidden layers trained, E G_l tends to l^3/3, the largest is the last one,
// their mean tends to L^3/12, and under mup rates E Theta^2 tends to L^2/4.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold) {
    const auto& model = table.plan.spec().model;
    if (!fluctuations_are_known(model)) return std::nullopt;
    if (model.train != model::Train::all && model.train != model::Train::hidden) return std::nullopt;
    switch (layer) {
    case theory::Layer::last:
    case theory::Layer::max:
        return Asymptote{"sqrt(3 c) L^(-3/2)", std::sqrt(3 * threshold), -1.5};
    case theory::Layer::mean:
        return Asymptote{"sqrt(12 c) L^(-3/2)", std::sqrt(12 * threshold), -1.5};
    case theory::Layer::output:
        break;
    }
    if (model.parametrization != model::Parametrization::mup) return std::nullopt;
    return Asymptote{"2 sqrt(c) L^(-1)", 2 * std::sqrt(threshold), -1};
}

} // namespace etastar::analysis

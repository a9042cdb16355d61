#include "exact.hpp"

#include <cmath>

namespace etastar::analysis {

double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                      theory::Layer layer) {
    const auto& model = table.plan.spec().model;
    const auto* theory = theory::find(model, theory::Regime::finite_width);
    const auto response = theory == nullptr ? std::nullopt : theory->response(model, width, depth, layer);
    return response.value_or(std::nan(""));
}

// With hidden layers trained, E G_l tends to l^3/3, the largest is the last one, their mean tends to L^3/12, and under
// mup rates E Theta^2 tends to L^2/4.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold) {
    const auto& model = table.plan.spec().model;
    if (theory::find(model, theory::Regime::infinite_width) == nullptr) return std::nullopt;
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

#include "exact.hpp"

#include <fmt/format.h>

#include <cmath>

namespace etastar::analysis {

double exact_response(const TrialTable& table, std::uint32_t width, std::uint32_t depth,
                      theory::Layer layer) {
    const auto& spec = table.spec;
    return theory::exact_responses(width, depth, spec.input_dim, spec.train, spec.rates).of(layer);
}

// With hidden layers trained, E G_l tends to l^3/3, the largest is the last one, their mean tends to L^3/12, and under
// mup rates E Theta^2 tends to L^2/4.
std::optional<Asymptote> linear_asymptote(const TrialTable& table, theory::Layer layer, double threshold) {
    const auto& spec = table.spec;
    if (spec.train != network::Train::all && spec.train != network::Train::hidden) return std::nullopt;
    const auto law = [&](int factor, double exponent, const char* power) {
        return Asymptote{fmt::format("sqrt({} c) L^({})", factor, power), std::sqrt(factor * threshold),
                         exponent};
    };
    switch (layer) {
    case theory::Layer::last:
    case theory::Layer::max:
        return law(3, -1.5, "-3/2");
    case theory::Layer::mean:
        return law(12, -1.5, "-3/2");
    case theory::Layer::output:
        break;
    }
    if (spec.rates != network::Rates::mup) return std::nullopt;
    return law(4, -1, "-1");
}

} // namespace etastar::analysis

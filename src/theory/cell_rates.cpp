#include "etastar/theory/cell_rates.hpp"

#include "etastar/error.hpp"
#include "etastar/theory/moments.hpp"

#include <fmt/format.h>

#include <cmath>

namespace etastar::theory {

std::vector<double> cell_rates(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth) {
    auto rates = spec.eta;
    if (spec.eta_unit == sweep::EtaUnit::absolute) return rates;
    const auto response = exact_responses(width, depth, spec.input_dim, spec.train, spec.rates);
    const double unit = critical_rate(response.of(Layer::last));
    for (double& rate : rates) {
        rate *= unit;
        if (!std::isfinite(rate) || rate <= 0)
            throw UsageError(
                fmt::format("eta-unit: 'linear' has no finite rate at width {}, depth {} with train {}; use "
                            "absolute",
                            width, depth, sweep::name_of(spec.train)));
    }
    return rates;
}

} // namespace etastar::theory

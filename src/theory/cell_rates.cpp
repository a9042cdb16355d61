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
    if (std::isinf(unit))
        throw UsageError(fmt::format(
            "eta-unit: 'linear' has no unit at width {}, depth {}: with train {} the pre-activations do "
            "not move; use --eta-unit absolute, with --eta in its units",
            width, depth, sweep::name_of(spec.train)));
    if (!(unit > 0))
        throw UsageError(fmt::format(
            "depth: at width {}, depth {} the response is beyond the range of floating point", width, depth));
    for (double& rate : rates) {
        const double multiple = rate;
        rate *= unit;
        if (!std::isfinite(rate) || rate <= 0)
            throw UsageError(fmt::format(
                "eta: {} times eta*_lin = {:.4g} at width {}, depth {} is beyond the range of floating "
                "point",
                multiple, unit, width, depth));
    }
    return rates;
}

} // namespace etastar::theory

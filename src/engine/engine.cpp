#include "etastar/engine/engine.hpp"

#include "etastar/engine/dense.hpp"
#include "etastar/engine/implicit.hpp"

#include "../floating.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace etastar::engine {

std::unique_ptr<Engine> make_engine(const sweep::Spec& spec, std::size_t weight_budget) {
    if (spec.engine == sweep::EngineKind::implicit)
        return std::make_unique<ImplicitEngine>(spec.input_dim, spec.train, spec.rates, spec.precision,
                                                weight_budget);
    if (spec.precision == sweep::Precision::double_)
        return std::make_unique<DenseEngine<double>>(spec.input_dim, spec.train, spec.rates, weight_budget);
    return std::make_unique<DenseEngine<float>>(spec.input_dim, spec.train, spec.rates, weight_budget);
}

Estimate estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                  std::size_t weight_budget) {
    if (spec.engine == sweep::EngineKind::implicit)
        return ImplicitEngine::estimate(spec, width, depth, weight_budget);
    if (spec.precision == sweep::Precision::double_)
        return DenseEngine<double>::estimate(spec, width, depth, weight_budget);
    return DenseEngine<float>::estimate(spec, width, depth, weight_budget);
}

std::vector<sweep::TrialRow> trial_rows(const network::NetworkId& id, std::span<const double> rates,
                                        const NetworkOutcome& outcome) {
    const auto half_square = [](double x) { return x * x / 2; };

    sweep::TrialRow row;
    row.width = id.width;
    row.depth = id.depth;
    row.seed = id.seed;
    row.target = outcome.target;
    row.output = outcome.output;
    row.loss = half_square(outcome.output - outcome.target);
    row.response_last = outcome.response.back();
    row.response_max = *std::max_element(outcome.response.begin(), outcome.response.end());
    row.response_mean = std::accumulate(outcome.response.begin(), outcome.response.end(), 0.0)
                        / static_cast<double>(outcome.response.size());
    row.response_output = outcome.response_output;

    std::vector<sweep::TrialRow> rows;
    rows.reserve(rates.size());
    for (std::size_t k = 0; k < rates.size(); ++k) {
        const auto& step = outcome.steps[k];
        row.eta = rates[k];
        row.output_after = step.output_after;
        row.loss_after = half_square(step.output_after - outcome.target);
        // A change that left the range of floating point is larger than any threshold, whatever its last bits
        // say.
        row.dz2_last = infinite_if_nan(step.dz2_last);
        row.dz2_max = infinite_if_nan(step.dz2_max);
        row.dz2_mean = infinite_if_nan(step.dz2_mean);
        bool finite = true;
        for (const double value :
             {row.output, row.loss, row.output_after, row.loss_after, row.dz2_last, row.dz2_max, row.dz2_mean,
              row.response_last, row.response_max, row.response_mean, row.response_output})
            finite = finite && std::isfinite(value);
        row.status = finite ? sweep::Status::done : sweep::Status::nonfinite;
        rows.push_back(sealed(row));
    }
    return rows;
}

} // namespace etastar::engine

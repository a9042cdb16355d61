#pragma once

#include "etastar/model/random_network.hpp"

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <span>

namespace etastar::test {

// Steps of rates so small that they are their linear response, of the last layer.
template <class Engine>
void check_linear_steps(Engine& engine, const model::NetworkId& id, std::span<const double> rates,
                        double relative) {
    const auto outcome = engine.run(id, rates);
    for (std::size_t k = 0; k < rates.size(); ++k) {
        INFO("n = " << id.width << ", L = " << id.depth << ", eta = " << rates[k]);
        const double unit = std::pow(rates[k] * engine.error(outcome), 2);
        CHECK(outcome.steps[k].dz2_last / unit == Catch::Approx(outcome.response.back()).epsilon(relative));
    }
}

// The output moves along its tangent.
template <class Engine>
void check_tangent(Engine& engine, const model::NetworkId& id, double rate, double margin) {
    const double rates[] = {rate};
    const auto outcome = engine.run(id, rates);
    const double expected = -rate * engine.error(outcome) * std::sqrt(outcome.response_output);
    CHECK(outcome.steps[0].output_after - outcome.output
          == Catch::Approx(expected).epsilon(1e-3).margin(margin));
}

// Where steps are signs, rounding decides those of the smallest values.
template <class Narrow, class Wide>
void check_precisions_agree(Narrow narrow, Wide wide, const model::NetworkId& id,
                            std::span<const double> rates, double relative = 1e-3) {
    const auto a = narrow.run(id, rates);
    const auto b = wide.run(id, rates);
    CHECK(a.output == Catch::Approx(b.output).epsilon(1e-3).margin(1e-6));
    CHECK(a.response.back() == Catch::Approx(b.response.back()).epsilon(relative));
    for (std::size_t k = 0; k < rates.size(); ++k)
        CHECK(a.steps[k].dz2_last == Catch::Approx(b.steps[k].dz2_last).epsilon(relative));
}

} // namespace etastar::test

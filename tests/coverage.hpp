#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/kind.hpp"

#include <boost/math/distributions/binomial.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace etastar::test {

// Sweeps of fresh networks, and how often the intervals of their fits hold the truth.

struct CoverageSetting {
    std::uint32_t width = 0;
    std::vector<std::uint32_t> depths;
    std::uint64_t networks = 0; // a cell
    const char* criterion = "linear";
    double threshold = 1;
    std::vector<double> eta{1}; // in linear units
    std::uint64_t first_seed = 0;
    bool relative = false; // to E z^2
};

struct Tally {
    std::uint64_t hits = 0;
    std::uint64_t total = 0;

    void add(const analysis::Interval& interval, double truth) {
        ++total;
        hits += interval.low < truth && truth < interval.high; // an open end does not cover
    }
    double percent() const { return 100.0 * static_cast<double>(hits) / static_cast<double>(total); }

    // Whether so few, or so many, are credible where the true coverage is between low and high. Wrong with a probability
    // below 2e-6.
    bool within(double low, double high) const {
        const auto n = static_cast<double>(total);
        const auto k = static_cast<double>(hits);
        return cdf(boost::math::binomial(n, low), k) > 1e-6
               && (hits == 0 || cdf(complement(boost::math::binomial(n, high), k - 1)) > 1e-6);
    }
};

// In process, without a file.
inline trial::Results run_sweep(const CoverageSetting& setting, std::uint64_t networks,
                                std::uint64_t first_seed) {
    sweep::Spec spec;
    spec.width = {setting.width};
    spec.depth = setting.depths;
    spec.eta = setting.eta;
    spec.seeds = networks;
    spec.first_seed = first_seed;
    spec.model.input_dim = 64;
    trial::Results results{plan::Plan(spec), &trial::find_kind(spec.trial), {}, {}, true, 0, {}};
    const auto layout = results.kind->layout(spec);
    const auto worker = results.kind->worker(results.plan, engine::default_weight_budget);
    for (std::uint64_t i = 0; i < results.plan.networks(); ++i) {
        const auto record = worker->run(i);
        const auto rows = layout.rows(record);
        results.rows.insert(results.rows.end(), rows.begin(), rows.end());
    }
    return results;
}

inline analysis::CriterionFit fit_sweep(const CoverageSetting& setting, std::uint64_t networks,
                                        std::uint64_t first_seed) {
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator(setting.criterion)};
    options.thresholds = {setting.threshold};
    options.relative = setting.relative;
    return analysis::fit(run_sweep(setting, networks, first_seed), options).fits.front();
}

// What an infinitely large sweep would say.
struct Truth {
    std::vector<double> log_rate; // of each cell
    std::vector<double> slope;
    double exponent = 0;
};

inline Truth exact_truth(const CoverageSetting& setting) {
    const auto fit = fit_sweep(setting, setting.networks, setting.first_seed);
    Truth truth;
    for (const auto& cell : fit.cells) truth.log_rate.push_back(std::log(*cell.exact));
    for (const auto& slope : fit.slopes) truth.slope.push_back(*slope.exact);
    if (fit.exact->depth) truth.exponent = fit.exact->depth->value;
    return truth;
}

// The mean of many large sweeps.
inline Truth measured_truth(const CoverageSetting& setting, std::uint64_t sweeps, std::uint64_t networks) {
    Truth truth;
    const auto weight = 1 / static_cast<double>(sweeps);
    for (std::uint64_t i = 0; i < sweeps; ++i) {
        const auto fit = fit_sweep(setting, networks, 1'000'000'000 + i * networks);
        truth.log_rate.resize(fit.cells.size());
        truth.slope.resize(fit.slopes.size());
        for (std::size_t k = 0; k < fit.cells.size(); ++k)
            truth.log_rate[k] += weight * fit.cells[k].log_rate.value().value;
        for (std::size_t k = 0; k < fit.slopes.size(); ++k)
            truth.slope[k] += weight * fit.slopes[k].slope.value;
        truth.exponent += weight * fit.law.depth.value().value;
    }
    return truth;
}

struct Coverage {
    std::vector<Tally> cells;
    std::vector<Tally> slopes;
    Tally exponent;
    Tally relative;                                // measured / exact: the exponent; linear only
    std::vector<analysis::IntervalMethod> methods; // of the last sweep's cells
};

// Of intervals `stretch` times as long as reported, about their middle.
inline Coverage coverage(const CoverageSetting& setting, const Truth& truth, std::uint64_t sweeps,
                         double stretch = 1) {
    const auto stretched = [stretch](const analysis::Interval& i) {
        const double middle = (i.low + i.high) / 2;
        return analysis::Interval{middle + stretch * (i.low - middle), middle + stretch * (i.high - middle)};
    };
    Coverage result;
    result.cells.resize(truth.log_rate.size());
    result.slopes.resize(truth.slope.size());
    for (std::uint64_t i = 0; i < sweeps; ++i) {
        const auto fit = fit_sweep(setting, setting.networks, setting.first_seed + i * setting.networks);
        result.methods.clear();
        for (std::size_t k = 0; k < fit.cells.size(); ++k) {
            const auto& ci95 = fit.cells[k].ci95;
            result.cells[k].add(stretched({std::log(ci95.low), std::log(ci95.high)}), truth.log_rate[k]);
            result.methods.push_back(fit.cells[k].interval);
        }
        for (std::size_t k = 0; k < fit.slopes.size(); ++k)
            result.slopes[k].add(stretched(fit.slopes[k].slope.ci95), truth.slope[k]);
        if (fit.law.depth) result.exponent.add(stretched(fit.law.depth->ci95), truth.exponent);
        if (fit.ratio && fit.ratio->depth) result.relative.add(stretched(fit.ratio->depth->ci95), 0);
    }
    return result;
}

} // namespace etastar::test

// The depth law of a ReLU network's largest learning rate: by theory, in one network, and fitted to many.
#include "etastar/analysis/fit.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/theory/moments.hpp"

#include <cstdio>

using namespace etastar;

int main() {
    // Theory: eta* at threshold 1, to first order in eta, exact at this width and depth.
    const std::uint32_t width = 1024;
    const std::uint32_t depth = 16;
    const model::Model relu{.input_dim = 64};
    const auto response = theory::exact_responses(relu, width, depth).of(theory::Layer::last);
    const double rate = theory::linear_rate(response).value();
    std::printf("theory: eta* = %.5f\n", rate);

    // One trial: a network drawn from its name, and one step at each of these rates.
    const double rates[] = {rate / 10, rate, 10 * rate};
    const auto outcome = engine::make_engine({.model = relu})->run({width, depth, 1}, rates);
    for (std::size_t k = 0; k < outcome.steps.size(); ++k)
        std::printf("one network, eta %.5f: ||dz||^2 / n = %.4g\n", rates[k], outcome.steps[k].dz2_last);

    // A fit: a table of 300 networks at each of four depths, kept in memory.
    sweep::Spec spec;
    spec.model = relu;
    spec.width = {width};
    spec.depth = {4, 8, 16, 32};
    spec.eta = {1}; // in units of each depth's eta*
    spec.seeds = 300;
    const plan::Plan plan(spec);
    const auto& kind = trial::find_kind(spec.trial);
    const auto worker = kind.worker(plan, engine::default_weight_budget);
    trial::Results table{plan, &kind};
    for (std::uint64_t network = 0; network < plan.networks(); ++network) {
        const auto record = worker->run(network);
        const auto rows = kind.layout(spec).rows(record);
        table.rows.insert(table.rows.end(), rows.begin(), rows.end());
    }
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("linear")};
    options.thresholds = {1};
    const auto report = analysis::fit(table, options);
    const auto& fit = report.fits.front();
    const auto& exponent = fit.law.depth.value();
    std::printf("fit: eta* ~ L^%.4f, 95 %% interval [%.4f, %.4f]; exact theory L^%.4f\n", exponent.value,
                exponent.ci95.low, exponent.ci95.high, fit.exact.value().depth.value().value);
}

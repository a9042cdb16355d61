#pragma once

#include "etastar/analysis/table.hpp"
#include "etastar/trial/training.hpp"

#include "support.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace etastar::test {

// A network's losses, as made up.
struct MadeUpRun {
    std::vector<double> loss; // up to the step after which it has diverged, T + 1 where it has not
    double kernel_initial = 1;
    double kernel_final = 1;
};

// The table of a sweep whose every number is made up, `run` being asked in canonical order.
inline analysis::TrialTable
trained(std::vector<std::uint32_t> widths, std::vector<std::uint32_t> depths, std::vector<double> etas,
        std::uint64_t seeds, std::uint32_t steps,
        const std::function<MadeUpRun(const model::NetworkId& id, std::size_t rate, double eta)>& run) {
    sweep::Spec spec;
    spec.width = std::move(widths);
    spec.depth = std::move(depths);
    spec.eta = std::move(etas);
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = seeds;
    spec.trial = sweep::training_trial;
    spec.training.steps = steps;
    analysis::TrialTable table{plan::Plan(spec), &trial::find_kind(spec.trial), {}, {{}}, true, 0, {}};
    std::vector<trial::TrainingRow> rows;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth)
            for (std::uint64_t seed = 0; seed < seeds; ++seed)
                for (std::size_t k = 0; k < spec.eta.size(); ++k) {
                    auto made = run({width, depth, seed}, k, spec.eta[k]);
                    const bool diverged = made.loss.size() < steps + 1 || !std::isfinite(made.loss.back());
                    trial::TrainingRow row;
                    row.width = width;
                    row.depth = depth;
                    row.seed = seed;
                    row.eta = spec.eta[k];
                    row.steps_done = made.loss.size() - 1;
                    row.loss_initial = made.loss.front();
                    row.loss_final = made.loss.back();
                    row.kernel_initial = made.kernel_initial;
                    row.kernel_final = diverged ? std::nan("") : made.kernel_final;
                    row.end.status = diverged ? trial::Status::nonfinite : trial::Status::done;
                    seal(trial::training_row, bytes_of(row));
                    rows.push_back(row);
                    made.loss.resize(steps + 1, std::nan(""));
                    table.tables[0].insert(table.tables[0].end(), made.loss.begin(), made.loss.end());
                }
    const auto bytes = std::as_bytes(std::span(rows));
    table.rows.assign(bytes.begin(), bytes.end());
    return table;
}

// Losses that fall tenfold a step below the network's largest rate, and grow tenfold until they overflow above it.
inline MadeUpRun falls_below(double eta, double largest, std::uint32_t steps) {
    MadeUpRun run;
    for (std::uint32_t t = 0; t <= steps && (t == 0 || std::isfinite(run.loss.back())); ++t) {
        const double loss = 0.5 * std::pow(10.0, eta < largest ? -double(t) : double(t));
        run.loss.push_back(loss > 1e5 ? HUGE_VAL : loss);
    }
    return run;
}

// Factors of equal ratio.
inline std::vector<double> ratios(double first, double factor, std::size_t count) {
    std::vector<double> values;
    for (std::size_t k = 0; k < count; ++k) values.push_back(first * std::pow(factor, double(k)));
    return values;
}

} // namespace etastar::test

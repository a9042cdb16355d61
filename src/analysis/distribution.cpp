#include "etastar/analysis/distribution.hpp"

#include "etastar/analysis/variance.hpp"

#include "estimators.hpp"
#include "exact.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::analysis {
namespace {

constexpr std::size_t most_bins = 60;

// Bins of the width of Freedman and Diaconis, 2 (interquartile range) / n^(1/3).
void fill_histogram(const std::vector<double>& sorted, Distribution& result) {
    const auto n = sorted.size();
    const double range = sorted.back() - sorted.front();
    const double quartiles = sorted[n - 1 - n / 4] - sorted[n / 4];
    const double wanted = 2 * quartiles / std::cbrt(static_cast<double>(n));
    const double bins = wanted > 0 ? std::ceil(range / wanted) : 1;
    result.counts.assign(static_cast<std::size_t>(std::clamp(bins, 1.0, double{most_bins})), 0);
    result.first = sorted.front();
    result.bin = range / static_cast<double>(result.counts.size());
    for (const double x : sorted) {
        const auto place = static_cast<std::size_t>((x - result.first) / result.bin);
        ++result.counts[std::min(place, result.counts.size() - 1)];
    }
}

// What log_variance is known of: every layer takes a step at its maximal-update rate.
void add_theory(const Cell& cell, theory::Layer layer, Distribution& result) {
    const auto& model = cell.table->plan.spec().model;
    if (!fluctuations_are_known(model) || model.train != model::Train::all
        || model.parametrization != model::Parametrization::mup || layer == theory::Layer::max)
        return;
    const double response = exact_response(*cell.table, cell.width, cell.depth, layer);
    const double variance = log_variance(layer, cell.width, cell.depth);
    if (!(response > 0) || !std::isfinite(response) || !(variance > 0)) return;
    result.expected_mean = std::log(response) - variance / 2;
    result.expected_deviation = std::sqrt(variance);
}

} // namespace

std::vector<Distribution> distributions(const std::vector<Cell>& cells, theory::Layer layer) {
    std::vector<Distribution> all;
    for (const auto& cell : cells) {
        const auto draws = responses(cell, layer);
        Distribution result;
        result.width = cell.width;
        result.depth = cell.depth;
        std::vector<double> values;
        for (const double draw : draws)
            if (draw > 0 && std::isfinite(draw)) values.push_back(std::log(draw));
        result.networks = values.size();
        result.outside = draws.size() - values.size();
        if (values.size() < 2) continue;
        std::sort(values.begin(), values.end());
        if (!(values.back() > values.front())) continue;
        const auto n = static_cast<double>(values.size());
        for (const double x : values) result.mean += x / n;
        double squares = 0;
        double cubes = 0;
        for (const double x : values) {
            squares += std::pow(x - result.mean, 2) / n;
            cubes += std::pow(x - result.mean, 3) / n;
        }
        result.deviation = std::sqrt(squares * n / (n - 1));
        result.skewness = cubes / std::pow(squares, 1.5);
        fill_histogram(values, result);
        add_theory(cell, layer, result);
        all.push_back(std::move(result));
    }
    return all;
}

} // namespace etastar::analysis

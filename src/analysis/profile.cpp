#include "etastar/analysis/profile.hpp"

#include "etastar/analysis/variance.hpp"

#include "exact.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace etastar::analysis {
namespace {

constexpr std::uint32_t most_layers = 64;

std::vector<std::uint32_t> shown_layers(std::uint32_t depth) {
    std::set<std::uint32_t> layers;
    const auto last = std::min(depth, most_layers);
    for (std::uint32_t i = 0; i < last; ++i)
        layers.insert(depth <= most_layers ? i + 1
                                           : static_cast<std::uint32_t>(std::lround(
                                               std::pow(depth, static_cast<double>(i) / (most_layers - 1)))));
    return {layers.begin(), layers.end()};
}

// E G_l of a network of any depth is that of the last layer of one that ends there: what comes back through a critical ReLU
// layer has the law of what came into it.
std::vector<double> exact_profile(const TrialTable& table, std::uint32_t width,
                                  const std::vector<std::uint32_t>& layers) {
    if (!fluctuations_are_known(table.plan.spec().model)) return {};
    std::vector<double> exact;
    exact.reserve(layers.size());
    for (const auto layer : layers) exact.push_back(exact_response(table, width, layer, theory::Layer::last));
    return exact;
}

} // namespace

ProfileSums::ProfileSums(const TrialTable& table) : table_(table) {
    for (const auto& cell : table.plan.cells()) {
        auto layers = shown_layers(cell.depth);
        const auto count = layers.size();
        cells_.push_back({cell.width, cell.depth, 0, std::move(layers), std::vector<double>(count),
                          std::vector<double>(count)});
    }
}

void ProfileSums::add(std::uint64_t network, std::span<const double> response) {
    auto& sums = cells_.at(network / table_.plan.spec().seeds);
    if (response.size() < sums.depth || std::isnan(response[sums.depth - 1])) return;
    ++sums.networks;
    for (std::size_t i = 0; i < sums.layer.size(); ++i) {
        const double value = response[sums.layer[i] - 1];
        const double before = value - sums.mean[i];
        sums.mean[i] += before / static_cast<double>(sums.networks);
        sums.squares[i] += before * (value - sums.mean[i]);
    }
}

std::vector<Profile> ProfileSums::profiles(const std::vector<Cell>& cells) const {
    std::vector<Profile> all;
    for (const auto& sums : cells_) {
        const bool wanted = std::any_of(cells.begin(), cells.end(), [&](const Cell& cell) {
            return cell.width == sums.width && cell.depth == sums.depth;
        });
        if (sums.networks == 0 || !wanted) continue;
        Profile profile{sums.width, sums.depth, sums.networks, sums.layer, sums.mean, {}, {}};
        const auto n = static_cast<double>(sums.networks);
        for (std::size_t i = 0; i < sums.layer.size(); ++i) {
            const double error = std::sqrt(sums.squares[i] / n / (n - 1)) / sums.mean[i];
            const auto logs = student_interval(std::log(sums.mean[i]), error, n - 1);
            profile.ci95.push_back({std::exp(logs.low), std::exp(logs.high)});
        }
        profile.exact = exact_profile(table_, sums.width, sums.layer);
        all.push_back(std::move(profile));
    }
    return all;
}

} // namespace etastar::analysis

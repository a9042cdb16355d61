#pragma once

#include "etastar/analysis/table.hpp"
#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace etastar::analysis {

// How log G, of the response to a unit error, is distributed over the networks of one (width, depth).
struct Distribution {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0; // whose G is positive and finite
    std::uint64_t outside = 0;  // whose G is not
    double mean = 0;            // of log G
    double deviation = 0;       // its standard deviation; 0 of a single network
    double skewness = 0;
    // The histogram: `counts.size()` bins of equal width from `first` on.
    double first = 0;
    double bin = 0;
    std::vector<std::uint64_t> counts;
    // Of a log-normal G: the mean and the deviation that theory has, where both are known.
    std::optional<double> expected_mean;
    std::optional<double> expected_deviation;
};

// Of each of the cells that has two networks or more whose log G differ; none of trials without a response.
std::vector<Distribution> distributions(const std::vector<Cell>& cells, theory::Layer layer);

} // namespace etastar::analysis

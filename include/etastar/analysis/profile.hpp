#pragma once

#include "etastar/analysis/statistics.hpp"
#include "etastar/analysis/table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace etastar::analysis {

// The mean of G_l over the networks of one (width, depth), against the layer l.
struct Profile {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0;
    std::vector<std::uint32_t> layer; // from 1 to the depth: all where they are few, else in equal ratios
    std::vector<double> mean;
    std::vector<Interval> ci95; // of the mean, by the delta method of its logarithm; NaN of one network
    std::vector<double> exact;  // E G_l; empty where it is not known
};

// Adds up the profiles of a sweep's networks, handed to it one after the other.
class ProfileSums {
public:
    explicit ProfileSums(const TrialTable& table);

    // That of a network, by its number in the plan: G_l of l = 1, 2, ... A profile that is NaN, of a network that has not
    // run, is left out.
    void add(std::uint64_t network, std::span<const double> response);

    // Of these cells, those in which a network has run.
    std::vector<Profile> profiles(const std::vector<Cell>& cells) const;

private:
    struct Sums {
        std::uint32_t width = 0;
        std::uint32_t depth = 0;
        std::uint64_t networks = 0;
        std::vector<std::uint32_t> layer;
        std::vector<double> mean;    // of the networks so far
        std::vector<double> squares; // of their deviations from it
    };

    const TrialTable& table_;
    std::vector<Sums> cells_; // of the plan
};

} // namespace etastar::analysis

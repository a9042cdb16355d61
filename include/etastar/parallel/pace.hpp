#pragma once

#include <algorithm>
#include <cmath>

namespace etastar::parallel {

// How the seconds that networks take compare with those expected, learnt as a sweep runs. Recent networks count
// more, and long ones: an interruption of a tiny one says nothing about a network of minutes.
class Pace {
public:
    void observe(double expected, double actual) {
        if (!(expected > 0) || !(actual >= 0)) return;
        const double weight = expected / (expected + memory);
        // One rank that is as good as dead must not make the others look slow; a wrong cost model shows every time.
        const double ratio = std::min(actual / expected, 2 * slack());
        const double step = std::max(weight, 1 / (seen_ + 2)) * std::min(1.0, expected / shortest);
        deviation_ += step * (std::abs(ratio - mean_) - deviation_);
        mean_ += step * (ratio - mean_);
        seen_ += std::min(1.0, expected / shortest);
    }

    // What a network takes in the worst usual case, as a multiple of its expected seconds.
    double slack() const { return mean_ + 3 * deviation_; }

private:
    static constexpr double memory = 10;     // seconds of work that are remembered
    static constexpr double shortest = 0.05; // seconds of a network that tells as much as any other

    double mean_ = 1; // before anything is known: twice the expected time
    double deviation_ = 1.0 / 3;
    double seen_ = 0;
};

} // namespace etastar::parallel

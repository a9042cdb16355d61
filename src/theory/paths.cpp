#include "paths.hpp"

#include "quadrature.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace etastar::theory {
namespace {

// splitmix64 [Steele, Lea and Flood 2014].
class Bits {
public:
    explicit Bits(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
    }

private:
    std::uint64_t state_;
};

// Medians of n equally likely parts of a standard normal, scaled to variance 1.
std::vector<double> make_quantiles(std::uint32_t n) {
    std::vector<double> quantiles(n);
    constexpr double root_two_pi = 2.5066282746310002;
    double x = 0;
    double sum = 0;
    for (std::uint32_t i = 0; i < n / 2; ++i) {
        const double part = (i == 0 ? 0.5 : 1.0) / n;
        double next = x;
        for (int k = 0; k < 6; ++k) {
            const Rule rule = panels(x, next, 1, {}, Fineness::coarse);
            double probability = 0;
            for (std::size_t j = 0; j < rule.size(); ++j)
                probability += rule.weights[j] * decay(rule.nodes[j] * rule.nodes[j] / 2);
            next += (part * root_two_pi - probability) / decay(next * next / 2);
        }
        x = next;
        quantiles[n / 2 + i] = x;
        quantiles[n / 2 - 1 - i] = -x;
        sum += 2 * x * x;
    }
    const double scale = std::sqrt(n / sum);
    for (double& quantile : quantiles) quantile *= scale;
    return quantiles;
}

constexpr std::array<std::uint32_t, 50> generators = {
    1,      182667, 469891, 498753, 110745, 446247, 250185, 118627, 245333, 283199, 408519, 391023, 246327,
    126539, 399185, 461527, 300343, 69681,  516695, 436179, 106383, 238523, 413283, 70841,  47719,  300129,
    113029, 123925, 410745, 211325, 17489,  511893, 40767,  186077, 519471, 255369, 101819, 243573, 66189,
    152143, 503455, 113217, 132603, 463967, 297717, 157383, 224015, 502917, 36237,  94049};

class Coordinates {
public:
    Coordinates(std::uint32_t count, std::uint64_t seed) : quantiles_(make_quantiles(count)), bits_(seed) {}

    // One value of every neuron; `dimension` of the lattice, or none of it.
    void fill(std::size_t dimension, double* out) {
        const auto n = static_cast<std::uint32_t>(quantiles_.size());
        if (dimension < generators.size()) {
            const std::uint32_t shift = bits_.below(n);
            for (std::uint32_t i = 0; i < n; ++i)
                out[i] = quantiles_[(i * generators[dimension] + shift) % n];
            return;
        }
        for (std::uint32_t i = 0; i < n; ++i) {
            const std::uint32_t k = bits_.below(i + 1);
            out[i] = out[k];
            out[k] = quantiles_[i];
        }
    }

private:
    std::vector<double> quantiles_;
    Bits bits_;
};

// In place: values of a walk's waves, the longest first, to its steps. Interval by interval, breadth first.
std::vector<double> bridged(const std::vector<double>& waves, std::uint32_t n, std::uint32_t steps) {
    std::vector<double> walk((std::size_t{steps} + 1) * n, 0.0);
    const auto at = [&](std::uint32_t time) { return &walk[std::size_t{time} * n]; };
    const auto wave = [&](std::size_t which) { return &waves[which * n]; };
    std::size_t used = 0;
    const double length = std::sqrt(static_cast<double>(steps));
    for (std::uint32_t i = 0; i < n; ++i) at(steps)[i] = length * wave(0)[i];
    ++used;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> intervals{{0, steps}};
    for (std::size_t k = 0; k < intervals.size(); ++k) {
        const auto [from, to] = intervals[k];
        if (to - from < 2) continue;
        const std::uint32_t middle = from + (to - from) / 2;
        const double right = static_cast<double>(middle - from) / (to - from);
        const double deviation = std::sqrt(right * (to - middle));
        for (std::uint32_t i = 0; i < n; ++i)
            at(middle)[i] = (1 - right) * at(from)[i] + right * at(to)[i] + deviation * wave(used)[i];
        ++used;
        intervals.emplace_back(from, middle);
        intervals.emplace_back(middle, to);
    }
    for (std::uint32_t step = 0; step < steps; ++step)
        for (std::uint32_t i = 0; i < n; ++i) at(step)[i] = at(step + 1)[i] - at(step)[i];
    walk.resize(std::size_t{steps} * n);
    return walk;
}

} // namespace

Paths::Paths(std::uint32_t count, std::uint32_t steps, std::uint64_t replicate) : count_(count) {
    Coordinates coordinates(count, replicate);
    for (std::size_t which = 0; which < 3; ++which) {
        start_[which].resize(count);
        coordinates.fill(which, start_[which].data());
    }
    std::vector<double> waves(std::size_t{steps} * count);
    for (std::size_t sequence = 0; sequence < 2; ++sequence) {
        for (std::size_t step = 0; step < steps; ++step)
            coordinates.fill(3 + 2 * step + sequence, &waves[step * count]);
        (sequence == 0 ? forward_ : backward_) =
            steps == 0 ? std::vector<double>{} : bridged(waves, count, steps);
    }
}

} // namespace etastar::theory

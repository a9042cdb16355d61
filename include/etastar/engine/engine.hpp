#pragma once

#include "etastar/network/network.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/sweep/trial.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace etastar::engine {

// What one learning rate does to a network in one step of gradient descent.
struct StepOutcome {
    double output_after = 0; // f after the step
    double dz2_last = 0;     // ||dz^l||^2 / n at l = L
    double dz2_max = 0;      // its largest over l
    double dz2_mean = 0;     // its mean over l
};

// Everything measured on one network.
struct NetworkOutcome {
    double target = 0;              // y
    double output = 0;              // f before the step
    std::vector<double> response;   // G_l at index l - 1: linear order, unit error
    double response_output = 0;     // Theta^2
    std::vector<StepOutcome> steps; // one per learning rate, in the order given
};

// Measures networks, one at a time, all learning rates at once (docs/science.md, "One step").
class Engine {
public:
    virtual ~Engine() = default;

    // rates: base learning rates eta > 0. Values that leave the range of double are infinite or NaN, not
    // errors. Throws std::bad_alloc where memory does not suffice.
    virtual NetworkOutcome run(const network::NetworkId& id, std::span<const double> rates) = 0;
};

// Bytes a rank may spend on keeping a network's weights between the passes that need them. What does not fit
// is drawn again from its stream: the same numbers, more time.
inline constexpr std::size_t default_weight_budget = std::size_t{1} << 30;

std::unique_ptr<Engine> make_engine(const sweep::Spec& spec,
                                    std::size_t weight_budget = default_weight_budget);

// Work of one network (seconds on one core of 2023; ratios between networks are what scheduling relies on)
// and the engine's memory for it.
struct Estimate {
    double seconds = 0;
    std::size_t bytes = 0;
};
Estimate estimate(const sweep::Spec& spec, std::uint32_t width, std::uint32_t depth,
                  std::size_t weight_budget = default_weight_budget);

// The network's rows of /trials, sealed, in the order of `rates`.
std::vector<sweep::TrialRow> trial_rows(const network::NetworkId& id, std::span<const double> rates,
                                        const NetworkOutcome& outcome);

} // namespace etastar::engine

#pragma once

#include "etastar/cost.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/model/data.hpp"
#include "etastar/model/random_network.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace etastar::engine {

// What a step remembers of those before. The model's optimizer is that of the first step: sgd with none or momentum, sign
// with adam.
//     none      W -= eta m g
//     momentum  u = mu u + g, W -= eta m u
//     adam      Adam (Kingma and Ba 2015) with beta1 = 0.9, beta2 = 0.999 and epsilon -> 0, 0/0 = 0; dense engine only
enum class Memory { none, momentum, adam };

inline constexpr std::uint32_t default_steps = 30;
inline constexpr double default_momentum = 0.9;

// How networks are trained: T steps on the mean of (f - y)^2 / 2 over the examples of a step.
struct Training {
    std::uint32_t steps = default_steps; // T
    model::Data data;
    Memory memory = Memory::none;
    double momentum = default_momentum; // mu in [0, 1), of Memory::momentum

    bool operator==(const Training&) const = default;
};

// A run that leaves the range of floating point, or whose loss exceeds this multiple of the first, has diverged.
inline constexpr double divergence = 1e6;

// One learning rate's run of training. Measured on the P examples of the data, or online on those of step 0; kernels are
// those of the layers' learning rates over the base rate.
struct TrainingOutcome {
    std::vector<double>
        loss;             // at 0 .. steps_done, of the examples of that step, before the step; at most T + 1
    double dz2_final = 0; // ||z^L_t - z^L_0||^2 / n at t = steps_done, mean over the examples
    double kernel_initial = 0; // largest eigenvalue of the tangent kernel over P, before the first step
    double kernel_final = 0;   // and at t = T; NaN where the run has diverged
    bool diverged = false;

    std::uint32_t steps_done() const { return static_cast<std::uint32_t>(loss.size()) - 1; }
};

// Trains networks, one at a time, at every learning rate from the same initialisation (docs/science.md, "Training").
class Trainer {
public:
    virtual ~Trainer() = default;

    // etas: base learning rates > 0. Throws std::bad_alloc where memory does not suffice.
    virtual std::vector<TrainingOutcome> run(const model::NetworkId& id, std::span<const double> etas) = 0;
};

// The training is copied.
std::unique_ptr<Trainer> make_trainer(const Settings& settings, const Training& training);

// Of one network with this many rates, none of which diverges.
Cost training_cost(const Settings& settings, const Training& training, std::uint32_t width,
                   std::uint32_t depth, std::size_t rates);

} // namespace etastar::engine

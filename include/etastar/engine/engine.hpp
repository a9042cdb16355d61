#pragma once

#include "etastar/cost.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/model/random_network.hpp"

#include <cstddef>
#include <cstdint>
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
    std::vector<double> size;       // ||z^l||^2 / n at index l - 1, before the step
    std::vector<double> response;   // G_l at index l - 1: linear order, unit error
    double response_output = 0;     // Theta^2
    std::vector<StepOutcome> steps; // one per learning rate, in the order given
};

class ChangeColumns;

// Measures networks, one at a time, all learning rates at once (docs/science.md, "One step"). What engines share is
// here; each has its own way through the layers.
class Engine {
public:
    explicit Engine(const Settings& settings) : settings_(settings) {}
    virtual ~Engine() = default;

    // etas: base learning rates > 0. Values that leave the range of double are infinite or NaN, not
    // errors. Throws std::bad_alloc where memory does not suffice.
    NetworkOutcome run(const model::NetworkId& id, std::span<const double> etas);

    // What a step is proportional to, besides its rate: f - y, or the sign of that.
    double error(const NetworkOutcome& outcome) const {
        return model::step_rule(settings_.model.optimizer).error(outcome.output - outcome.target);
    }

protected:
    // What the passes forward and backward leave of layer l = 0 .. L, with h^0 = x and P^l = df/dz^l.
    struct LayerPass {
        double z2 = 0; // ||z^l||^2
        double h2 = 0; // ||h^l||^2
        double h1 = 0; // sum |h^l_i|, where steps are signs
        double p2 = 0; // ||P^l||^2, where pre-activations move
        double p1 = 0; // sum |P^l_i|, where they do and steps are signs
    };
    struct Passes {
        double output = 0; // f
        std::vector<LayerPass> layers;
    };
    virtual void pass(const model::RandomNetwork& network, Passes& passes) = 0;

    // Takes the columns through every layer, see ChangeColumns; on the last one the projections are on v.
    virtual void change(const model::RandomNetwork& network, const Passes& passes,
                        ChangeColumns& columns) = 0;

    const Settings& settings() const { return settings_; }

private:
    void keep_in_range(NetworkOutcome& outcome) const;

    Settings settings_;
    Passes passes_;
};

std::unique_ptr<Engine> make_engine(const Settings& settings);

// Of one network with this many rates.
Cost cost(const Settings& settings, std::uint32_t width, std::uint32_t depth, std::size_t rates);

} // namespace etastar::engine

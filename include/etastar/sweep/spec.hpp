#pragma once

#include "etastar/engine/settings.hpp"
#include "etastar/engine/training.hpp"
#include "etastar/model/data.hpp"
#include "etastar/model/model.hpp"
#include "etastar/names.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::sweep {

// Units of the eta axis. linear: multiples of eta*_lin(n, L) at threshold 1, by the theory that covers the model.
enum class EtaUnit { absolute, linear };

// Deepest network: memory and exact theory grow with the depth.
inline constexpr std::uint32_t max_depth = std::uint32_t{1} << 24;

// The kind of trial (trial/kind.hpp) that `Spec::training` is of.
inline constexpr std::string_view training_trial = "training";

// Most steps of training, and most numbers that a network's losses may be, over its rates.
inline constexpr std::uint32_t max_steps = 1'000'000;
inline constexpr std::uint64_t max_losses = std::uint64_t{1} << 24;

// Most examples: every one has activations of its own at every layer.
inline constexpr std::uint32_t max_samples = std::uint32_t{1} << 20;

// The precision at which a sweep ends, and by which law of `fit`. Its networks are then those that it takes, of each (width,
// depth) the first of its seeds (analysis/allocation.hpp).
struct Target {
    double ci = 0;         // half of the 95 % interval of the depth exponent; 0: none, every network is run
    std::string criterion; // by name (analysis/estimator.hpp); empty: linear, of training converges
    double threshold = 1;  // of a criterion of a first step

    bool operator==(const Target&) const = default;
};

// What a sweep computes: everything that its numbers depend on, and nothing else. Two sweeps with equal specs
// have equal tables. src/sweep/fields.cpp has the name, default and meaning of each field.
struct Spec {
    std::string trial = "first-step"; // kind of trial, by name (trial/kind.hpp)
    std::vector<std::uint32_t> width; // sorted, distinct, as all axes
    std::vector<std::uint32_t> depth;
    std::vector<double> eta; // in units of eta_unit
    EtaUnit eta_unit = EtaUnit::linear;
    std::uint64_t seeds = 0; // networks per (width, depth); with a target the most
    std::uint64_t first_seed = 0;
    engine::EngineKind engine = engine::EngineKind::implicit;
    engine::Precision precision = engine::Precision::single_;
    model::Model model;
    bool response_profile = false; // keep G_l of every layer; first step alone
    engine::Training training;     // of the trial that this is
    Target target;

    bool has_target() const { return target.ci > 0; }
    std::string_view target_criterion() const {
        return !target.criterion.empty() ? std::string_view(target.criterion)
               : trains()                ? "converges"
                                         : "linear";
    }
    bool trains() const { return trial == training_trial; }
    engine::Settings settings(std::size_t weight_budget) const {
        return {model, engine, precision, weight_budget};
    }
    std::uint64_t cells() const { return width.size() * depth.size(); }
    std::uint64_t networks() const { return cells() * seeds; }
    std::uint64_t rows() const { return networks() * eta.size(); }

    bool operator==(const Spec&) const = default;
};

// Throws UsageError where an axis is empty, unsorted, repeats or holds a value out of range, the grid is too large to be
// meant, or the trial, its optimizer and its data do not go together.
void validate(const Spec& spec);

// The same for the optimizer alone: first steps are sgd, sign or normalized, training is sgd, momentum or adam.
void validate_optimizer(const Spec& spec);

// Its name: the model's, or, with a memory, "momentum" or "adam".
std::string_view optimizer_name(const Spec& spec);

// "30 steps of momentum on 8 examples in batches of 2, data random"
std::string describe_training(const Spec& spec);

// That this engine computes such a sweep: the implicit one has no adam.
bool has_engine(const Spec& spec, engine::EngineKind engine);

// The same for the grid of networks alone: no depth beyond max_depth, and not more (width, depth), or layers of them,
// than somebody would wait for.
void validate_grid(const std::vector<std::uint32_t>& width, const std::vector<std::uint32_t>& depth);

// The same for the model alone, with networks of these depths.
void validate_model(const model::Model& model, const std::vector<std::uint32_t>& depth);

// The spec as one line of JSON with fixed key order, and back. from_json throws UsageError, also for a key that is
// missing or unknown: a spec that says more than this program understands is another sweep.
std::string to_json(const Spec& spec);
Spec from_json(const std::string& text);

// Name-based UUID (RFC 4122, version 5, URL namespace) of a spec's JSON line.
std::string hash(const std::string& json);

// The same of a data set's values: of the bytes of P and n0 as u64, x and y.
std::string digest(const model::Dataset& data);

// A field in which two specs differ: its name, and its values as JSON.
struct Difference {
    std::string field;
    std::string here;
    std::string there;
};
std::vector<Difference> differences(const Spec& here, const Spec& there);

} // namespace etastar::sweep

template <>
struct etastar::Names<etastar::sweep::EtaUnit> {
    static constexpr std::string_view what = "eta-unit";
    static constexpr NameTable<sweep::EtaUnit, 2> table{
        {{"absolute", sweep::EtaUnit::absolute}, {"linear", sweep::EtaUnit::linear}}};
};

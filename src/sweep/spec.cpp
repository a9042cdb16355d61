#include "etastar/sweep/spec.hpp"

#include "etastar/error.hpp"
#include "etastar/sweep/fields.hpp"

#include <boost/uuid/name_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace etastar::sweep {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t max_rows = 1'000'000'000'000;
constexpr std::uint64_t max_networks = std::numeric_limits<std::uint32_t>::max();
// Of a grid, however many networks each has: exact theory takes seconds for as many layers.
constexpr std::uint64_t max_cells = 1'000'000;
constexpr std::uint64_t max_layers = std::uint64_t{1} << 28;

template <class T>
void validate_axis(const char* name, const std::vector<T>& axis) {
    if (axis.empty()) throw UsageError(fmt::format("{}: the list is empty", name));
    for (std::size_t i = 0; i < axis.size(); ++i) {
        if (!(axis[i] > T{0}) || !std::isfinite(static_cast<double>(axis[i])))
            throw UsageError(fmt::format("{}: {} is not a positive, finite number", name, axis[i]));
        if (i > 0 && axis[i] == axis[i - 1])
            throw UsageError(fmt::format("{}: {} is listed twice", name, axis[i]));
        if (i > 0 && axis[i] < axis[i - 1])
            throw UsageError(
                fmt::format("{}: {} comes after {}; axes are ascending", name, axis[i], axis[i - 1]));
    }
}

Json to_tree(const Spec& spec) {
    Json tree;
    for (const auto& field : fields())
        if (field.is_in(spec)) tree[std::string(field.key)] = field.write(spec);
    return tree;
}

void validate_data(const Spec& spec) {
    const auto& data = spec.training.data;
    if (data.samples == 0 || data.samples > max_samples)
        throw UsageError(
            fmt::format("samples: {} is not an integer from 1 to {}", data.samples, max_samples));
    if (data.batch > data.samples)
        throw UsageError(
            fmt::format("batch: {} is more than the {} samples there are", data.batch, data.samples));
    if (data.online && !(data.batch_size() == data.samples))
        throw UsageError("batch: contradicts --online: every step takes --samples fresh examples");
    if (data.source != model::DataSource::file) return;
    if (data.online) throw UsageError("online: a file has no fresh examples; use --data random or linear");
    if (data.digest.empty()) throw UsageError("data: nothing names the values of the file");
    if (data.table && (data.table->samples != data.samples || data.table->input_dim != spec.model.input_dim))
        throw UsageError(fmt::format("data: {} examples of dimension {} where samples is {} and input-dim {}",
                                     data.table->samples, data.table->input_dim, data.samples,
                                     spec.model.input_dim));
}

void validate_training(const Spec& spec) {
    const auto& training = spec.training;
    if (training.steps == 0 || training.steps > max_steps)
        throw UsageError(fmt::format("steps: {} is not an integer from 1 to {}", training.steps, max_steps));
    if (const auto losses = spec.eta.size() * (std::uint64_t{training.steps} + 1); losses > max_losses)
        throw UsageError(fmt::format("steps: {} rates of {} steps are {} losses a network; at most {}",
                                     spec.eta.size(), training.steps, losses, max_losses));
    if (!(training.momentum >= 0 && training.momentum < 1))
        throw UsageError(fmt::format("momentum: {} is not a number from 0 to below 1", training.momentum));
    if (spec.response_profile)
        throw UsageError("profile: is of --trial first-step; training keeps every loss");
    validate_data(spec);
}

// The criterion's name is looked up where criteria are known (analysis/allocation.hpp).
void validate_target(const Spec& spec) {
    const auto& target = spec.target;
    const auto positive = [](const char* name, double value) {
        if (!(value > 0) || !std::isfinite(value))
            throw UsageError(fmt::format("{}: {} is not a positive, finite number", name, value));
    };
    if (target.ci == 0) return;
    positive("target-ci", target.ci);
    positive("target-threshold", target.threshold);
    if (spec.depth.size() < 2)
        throw UsageError(fmt::format("target-ci: one depth, {}, has no exponent; give --depth two or more",
                                     spec.depth[0]));
    if (spec.seeds < 2)
        throw UsageError("target-ci: one network a cell has no interval; give --seeds of 2 or more");
}

} // namespace

void validate_grid(const std::vector<std::uint32_t>& width, const std::vector<std::uint32_t>& depth) {
    validate_axis("width", width);
    validate_axis("depth", depth);
    if (depth.back() > max_depth)
        throw UsageError(fmt::format("depth: {} is too deep; at most {} layers", depth.back(), max_depth));
    const std::uint64_t cells = width.size() * depth.size();
    if (cells > max_cells)
        throw UsageError(fmt::format("depth: the grid has {} widths x {} depths; at most {} pairs of them",
                                     width.size(), depth.size(), max_cells));
    const auto layers = width.size() * std::accumulate(depth.begin(), depth.end(), std::uint64_t{0});
    if (layers > max_layers)
        throw UsageError(
            fmt::format("depth: the grid has {:.3g} layers, one network for each width and depth; "
                        "at most {}",
                        static_cast<double>(layers), max_layers));
}

void validate_model(const model::Model& model, const std::vector<std::uint32_t>& depth) {
    if (!(model.leak >= 0 && model.leak <= 1))
        throw UsageError(fmt::format("leak: {} is not a slope from 0 to 1", model.leak));
    if (model.leak != model::default_leak && model.activation != model::activation_of<model::LeakyRelu>)
        throw UsageError(
            fmt::format("leak: activation {} has none; leaky-relu has", name_of(model.activation)));
    const double gain = model.gain();
    if (!std::isnormal(gain) || gain < 0)
        throw UsageError(fmt::format("weight-variance: {} is not a positive, finite number", gain));
    const bool residual = model.architecture == model::architecture_of<model::Residual>;
    if (model.branch_power != model::default_branch_power && !residual)
        throw UsageError(fmt::format("branch-power: architecture {} has no branches; residual has",
                                     name_of(model.architecture)));
    if (!std::isfinite(model.branch_power))
        throw UsageError(fmt::format("branch-power: {} is not a finite number", model.branch_power));
    // Single precision holds the scale of a branch.
    constexpr double largest = 1e18;
    for (const auto each : depth) {
        const double tau = model::layer_laws(model, 1, each).hidden.block.branch;
        if (!(tau <= largest && tau >= 1 / largest))
            throw UsageError(
                fmt::format("branch-power: {} makes branches of scale {:.3g} at depth {}; at most {} or "
                            "its inverse",
                            model.branch_power, tau, each, largest));
    }
}

bool has_engine(const Spec& spec, engine::EngineKind engine) {
    return engine == engine::EngineKind::dense || spec.training.memory != engine::Memory::adam;
}

void validate_optimizer(const Spec& spec) {
    using engine::Memory;
    const auto name = optimizer_name(spec);
    const auto first = name_of(spec.model.optimizer);
    if (!spec.trains()) {
        if (spec.training.memory != Memory::none)
            throw UsageError(fmt::format(
                "optimizer: '{}' remembers steps before, and a first step has none: its own is that of {}",
                name, first));
        return;
    }
    if (spec.training.memory == Memory::none && spec.model.optimizer != model::optimizer_of<model::Sgd>)
        throw UsageError(
            fmt::format("optimizer: '{}' is a first step; training takes sgd, momentum or adam", name));
    if (!has_engine(spec, spec.engine))
        throw UsageError("optimizer: 'adam' needs every weight: it takes --engine dense");
}

void validate(const Spec& spec) {
    validate_grid(spec.width, spec.depth);
    validate_axis("eta", spec.eta);
    if (spec.seeds == 0) throw UsageError("seeds: 0 is not a positive integer");
    validate_model(spec.model, spec.depth);
    validate_optimizer(spec);
    if (spec.model.input_dim == 0) throw UsageError("input-dim: 0 is not a positive integer");
    if (spec.trains()) validate_training(spec);
    validate_target(spec);
    if (spec.first_seed > std::numeric_limits<std::uint64_t>::max() - (spec.seeds - 1))
        throw UsageError(
            fmt::format("first-seed: {} + {} seeds exceeds 2^64 - 1", spec.first_seed, spec.seeds));
    const double networks = static_cast<double>(spec.width.size()) * static_cast<double>(spec.depth.size())
                            * static_cast<double>(spec.seeds);
    if (networks > static_cast<double>(max_networks))
        throw UsageError(fmt::format("seeds: the grid has {:.3g} networks; at most {} fit one sweep",
                                     networks, max_networks));
    const double rows = networks * static_cast<double>(spec.eta.size());
    if (rows > static_cast<double>(max_rows))
        throw UsageError(
            fmt::format("seeds: the grid has {:.3g} rows; at most {} fit one sweep", rows, max_rows));
}

std::string to_json(const Spec& spec) { return to_tree(spec).dump(); }

Spec from_json(const std::string& text) {
    try {
        const auto tree = Json::parse(text);
        Spec spec;
        for (const auto& [key, value] : tree.items())
            if (std::none_of(fields().begin(), fields().end(),
                             [&, name = std::string_view(key)](const Field& f) { return f.key == name; }))
                throw UsageError(fmt::format("spec: '{}' is not known to this version of Etastar", key));
        for (const auto& field : fields()) {
            const std::string key(field.key);
            if (field.optional && !tree.contains(key)) continue;
            if (const auto why = field.absence(spec); !why.empty()) {
                if (tree.contains(key))
                    throw UsageError(fmt::format("spec: '{}' is not known here: it {}", key, why));
                continue;
            }
            if (!tree.contains(key)) throw UsageError(fmt::format("spec: '{}' is missing", key));
            field.read(spec, tree.at(key));
            // A conversion must not make another value of it: 8.5 is no width.
            if (field.write(spec) != tree.at(key))
                throw UsageError(
                    fmt::format("spec: {} is no value of '{}'", in_quotes(tree.at(key).dump()), key));
        }
        validate(spec);
        return spec;
    } catch (const nlohmann::json::exception& error) {
        throw UsageError(fmt::format("spec: {}", error.what()));
    }
}

std::string hash(const std::string& json) {
    static const boost::uuids::name_generator_sha1 generator(boost::uuids::ns::url());
    return to_string(generator(json));
}

std::string digest(const model::Dataset& data) {
    const std::uint64_t shape[] = {data.samples, data.input_dim};
    std::string bytes;
    const auto append = [&](const auto& values) {
        bytes.append(reinterpret_cast<const char*>(std::data(values)), std::size(values) * sizeof(values[0]));
    };
    bytes.reserve(sizeof(shape) + (data.x.size() + data.y.size()) * sizeof(double));
    append(shape);
    append(data.x);
    append(data.y);
    return hash(bytes);
}

// A field that one of them lacks depends on another in which they differ, unless it may be left out.
std::vector<Difference> differences(const Spec& here, const Spec& there) {
    std::vector<Difference> list;
    const auto shown = [](const Json& value) { return value.is_null() ? "none" : value.dump(); };
    for (const auto& field : fields()) {
        if (!field.optional && !(field.is_in(here) && field.is_in(there))) continue;
        const auto mine = field.write(here);
        const auto theirs = field.write(there);
        if (mine != theirs) list.push_back({std::string(field.key), shown(mine), shown(theirs)});
    }
    return list;
}

std::string describe_training(const sweep::Spec& spec) {
    const auto& data = spec.training.data;
    auto out = fmt::format("{} of {}", counted(spec.training.steps, "step"), optimizer_name(spec));
    if (data.online)
        out += fmt::format(" on {} each", counted(data.samples, "fresh example"));
    else
        out += fmt::format(" on {}", counted(data.samples, "example"));
    if (!data.online && !data.full_batch()) out += fmt::format(" in batches of {}", data.batch_size());
    return out + fmt::format(", data {}", name_of(data.source));
}

} // namespace etastar::sweep

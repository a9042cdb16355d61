#include "etastar/sweep/fields.hpp"

#include "etastar/error.hpp"
#include "etastar/sweep/list.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <type_traits>

namespace etastar::sweep {
namespace {

using Json = nlohmann::ordered_json;

// How a value of each type is read from the command line.
void parse_value(std::vector<std::uint32_t>& value, std::string_view option, const std::string& text) {
    value = parse_integer_list(option, text);
}
void parse_value(std::vector<double>& value, std::string_view option, const std::string& text) {
    value = parse_real_list(option, text);
}
void parse_value(double& value, std::string_view option, const std::string& text) {
    value = parse_real(option, text);
}
void parse_value(std::uint32_t& value, std::string_view option, const std::string& text) {
    value = parse_integer(option, text);
}
void parse_value(std::uint64_t& value, std::string_view option, const std::string& text) {
    value = parse_count(option, text, true);
}
void parse_value(std::string& value, std::string_view /*option*/, const std::string& text) { value = text; }
void parse_value(bool& value, std::string_view /*option*/, const std::string& /*text*/) { value = true; }
template <class Enum>
requires std::is_enum_v<Enum>
void parse_value(Enum& value, std::string_view /*option*/, const std::string& text) {
    value = parse_name<Enum>(text);
}

std::string present(const Spec& /*spec*/) { return {}; }

std::string of_first_step(const Spec& spec) {
    return spec.trains() ? "is of --trial first-step; training keeps every loss" : "";
}

std::string of_training(const Spec& spec) {
    return spec.trains() ? "" : "is of --trial training; a first step has none";
}

std::string of_batches(const Spec& spec) {
    if (spec.trains() && spec.training.data.online)
        return "contradicts --online: every step takes --samples fresh examples";
    return of_training(spec);
}

std::string of_momentum(const Spec& spec) {
    if (spec.trains() && spec.training.memory != engine::Memory::momentum)
        return "is of --optimizer momentum";
    return of_training(spec);
}

template <class Enum>
std::vector<std::string> names_of() {
    std::vector<std::string> names;
    for (const auto& entry : Names<Enum>::table) names.emplace_back(entry.first);
    return names;
}

template <class Enum>
std::string choices() {
    return fmt::format("{}", fmt::join(names_of<Enum>(), ", "));
}

// Where a field lives, of a Spec or of a const Spec.
template <class Access>
Field field(std::string_view key, std::string_view standard, std::string help, Access access,
            bool of_model = false) {
    using Value = std::remove_cvref_t<decltype(access(std::declval<Spec&>()))>;
    Field made;
    made.key = key;
    made.standard = standard;
    made.help = std::move(help);
    made.of_model = of_model;
    made.absence = present;
    made.parse = [access](Spec& spec, std::string_view option, const std::string& text) {
        parse_value(access(spec), option, text);
    };
    if constexpr (std::is_enum_v<Value>) {
        made.choices = names_of<Value>();
        made.read = [access](Spec& spec, const Json& json) {
            access(spec) = parse_name<Value>(json.get<std::string>());
        };
        made.write = [access](const Spec& spec) { return Json(name_of(access(spec))); };
    } else {
        made.read = [access](Spec& spec, const Json& json) { json.get_to(access(spec)); };
        made.write = [access](const Spec& spec) { return Json(access(spec)); };
    }
    return made;
}

// A count that may not be 0.
Field seeds_field() {
    auto made = field(
        "seeds", "2000", "networks per (width, depth)", [](auto& s) -> auto& { return s.seeds; });
    made.parse = [](Spec& spec, std::string_view option, const std::string& text) {
        spec.seeds = parse_count(option, text);
    };
    return made;
}

// A number, or "critical": that of the activation. In the file always the number.
Field weight_variance_field() {
    constexpr std::string_view own = "critical";
    Field made;
    made.key = "weight_variance";
    made.standard = own;
    made.help = "s2, the variance of weights times fan-in; critical: the activation's, at which signals keep "
                "their size";
    made.of_model = true;
    made.absence = present;
    made.parse = [own](Spec& spec, std::string_view option, const std::string& text) {
        if (text == own)
            spec.model.weight_variance.reset();
        else
            spec.model.weight_variance = parse_real(option, text);
    };
    made.read = [](Spec& spec, const Json& json) { spec.model.weight_variance = json.get<double>(); };
    made.write = [](const Spec& spec) { return Json(spec.model.gain()); };
    return made;
}

// What a step remembers is part of the optimizer's name.
struct Remembering {
    std::string_view name;
    model::Optimizer first; // its first step
    engine::Memory memory;
};
constexpr Remembering remembering[] = {
    {"momentum", model::optimizer_of<model::Sgd>, engine::Memory::momentum},
    {"adam", model::optimizer_of<model::Sign>, engine::Memory::adam},
};

void set_optimizer(Spec& spec, const std::string& name) {
    for (const auto& each : remembering)
        if (each.name == name) {
            spec.model.optimizer = each.first;
            spec.training.memory = each.memory;
            return;
        }
    try {
        spec.model.optimizer = parse_name<model::Optimizer>(name);
        spec.training.memory = engine::Memory::none;
    } catch (const UsageError& error) {
        std::string choices = error.what();
        for (const auto& each : remembering) choices += fmt::format(", {}", each.name);
        throw UsageError(choices);
    }
}

Field optimizer_field() {
    Field made;
    made.key = "optimizer";
    made.standard = "sgd";
    made.help =
        "sgd; sign: signSGD, Adam's first step; normalized: Muon's first step (orthogonalised gradient); "
        "of training: sgd, momentum or adam";
    made.choices = names_of<model::Optimizer>();
    for (const auto& each : remembering) made.choices.emplace_back(each.name);
    made.of_model = true;
    made.absence = present;
    made.parse = [](Spec& spec, std::string_view /*option*/, const std::string& text) {
        set_optimizer(spec, text);
    };
    made.read = [](Spec& spec, const Json& json) { set_optimizer(spec, json.get<std::string>()); };
    made.write = [](const Spec& spec) { return Json(optimizer_name(spec)); };
    return made;
}

template <class Access>
Field training_field(std::string_view key, std::string_view standard, std::string help, Access access) {
    auto made = field(key, standard, std::move(help), access);
    made.absence = of_training;
    return made;
}

// An integer from 1 to `most`.
template <class Access>
Field number_field(std::string_view key, std::string_view standard, std::string help, std::uint32_t most,
                   Access access) {
    auto made = training_field(key, standard, std::move(help), access);
    made.parse = [access, most](Spec& spec, std::string_view option, const std::string& text) {
        access(spec) = parse_integer(option, text, most);
    };
    return made;
}

// The source by name; of a file what names its values. Whoever reads the command line makes that of a file's name.
Field data_field() {
    constexpr std::string_view file = "file:";
    Field made;
    made.key = "data";
    made.standard = "random";
    made.help = "random: inputs of signs, targets of fair signs; linear: targets of a linear teacher; or "
                "FILE.h5 with x [P, n0] and y [P]";
    made.absence = of_training;
    const auto take = [file](Spec& spec, const std::string& text) {
        auto& data = spec.training.data;
        data.source = text.starts_with(file) ? model::DataSource::file : parse_name<model::DataSource>(text);
        data.digest = text.starts_with(file) ? text.substr(file.size()) : "";
        data.table.reset();
    };
    made.parse = [take](Spec& spec, std::string_view /*option*/, const std::string& text) {
        take(spec, text);
    };
    made.read = [take](Spec& spec, const Json& json) { take(spec, json.get<std::string>()); };
    made.write = [file](const Spec& spec) {
        const auto& data = spec.training.data;
        if (data.source == model::DataSource::file) return Json(std::string(file) + data.digest);
        return Json(name_of(data.source));
    };
    return made;
}

// In the file always the number.
Field batch_field() {
    constexpr std::string_view all = "all";
    Field made;
    made.key = "batch";
    made.standard = all;
    made.help = "B, examples of a step, drawn of the P without replacement; all: P";
    made.absence = of_batches;
    made.parse = [all](Spec& spec, std::string_view option, const std::string& text) {
        spec.training.data.batch = text == all ? 0 : parse_integer(option, text, max_samples);
    };
    made.read = [](Spec& spec, const Json& json) { json.get_to(spec.training.data.batch); };
    made.write = [](const Spec& spec) { return Json(spec.training.data.batch_size()); };
    return made;
}

Field momentum_field() {
    auto made = field(
        "momentum", "0.9", "mu of optimizer momentum, u = mu u + gradient",
        [](auto& s) -> auto& { return s.training.momentum; });
    made.absence = of_momentum;
    return made;
}

std::string of_target(const Spec& spec) { return spec.has_target() ? "" : "is of --target-ci"; }

std::string of_target_of_first_step(const Spec& spec) {
    if (spec.has_target() && spec.trains()) return "is of --trial first-step; training has no threshold";
    return of_target(spec);
}

Field target_field() {
    constexpr std::string_view none = "none";
    Field made;
    made.key = "target_ci";
    made.standard = none;
    made.help =
        "W: run networks, at most --seeds of each (width, depth), until half of the 95 % interval of the "
        "depth exponent is W";
    made.absence = present;
    made.optional = true;
    made.parse = [none](Spec& spec, std::string_view option, const std::string& text) {
        spec.target.ci = text == none ? 0 : parse_positive_real(option, text);
    };
    made.read = [](Spec& spec, const Json& json) { json.get_to(spec.target.ci); };
    made.write = [](const Spec& spec) { return spec.has_target() ? Json(spec.target.ci) : Json(); };
    return made;
}

// In the file always a name.
Field target_criterion_field() {
    constexpr std::string_view own = "auto";
    Field made;
    made.key = "target_criterion";
    made.standard = own;
    made.help = "criterion of `fit` whose exponent that is; auto: linear, of training converges";
    made.absence = of_target;
    made.parse = [own](Spec& spec, std::string_view /*option*/, const std::string& text) {
        spec.target.criterion = text == own ? std::string() : text;
    };
    made.read = [](Spec& spec, const Json& json) {
        spec.target.criterion.clear();
        if (auto name = json.get<std::string>(); name != spec.target_criterion())
            spec.target.criterion = std::move(name);
    };
    made.write = [](const Spec& spec) { return Json(spec.target_criterion()); };
    return made;
}

Field target_threshold_field() {
    auto made = field(
        "target_threshold", "1", "its threshold, of a first step",
        [](auto& s) -> auto& { return s.target.threshold; });
    made.absence = of_target_of_first_step;
    made.parse = [](Spec& spec, std::string_view option, const std::string& text) {
        spec.target.threshold = parse_positive_real(option, text);
    };
    return made;
}

Field profile_field() {
    auto made = field(
        "profile", "", "also keep every layer's response",
        [](auto& s) -> auto& { return s.response_profile; });
    made.absence = of_first_step;
    return made;
}

std::vector<Field> make_fields() {
    return {
        field(
            "trial", "first-step", "first-step; training: --steps of it, with the options below --profile",
            [](auto& s) -> auto& { return s.trial; }),
        field(
            "width", "1024:16384:x4", "LIST of widths n", [](auto& s) -> auto& { return s.width; }),
        field(
            "depth", "4:64:x2", "LIST of depths L, the number of hidden layers, at most 16777216",
            [](auto& s) -> auto& { return s.depth; }),
        field(
            "eta", "0.05:8:log16", "LIST of base learning rates", [](auto& s) -> auto& { return s.eta; }),
        field(
            "eta_unit", "linear",
            "absolute, or linear: multiples of eta*_lin(n, L), exact where theory is, else at infinite width",
            [](auto& s) -> auto& { return s.eta_unit; }),
        seeds_field(),
        field(
            "first_seed", "0", "seed of the first", [](auto& s) -> auto& { return s.first_seed; }),
        field(
            "engine", "implicit",
            "implicit: the same law without matrices, any width; dense: explicit weight matrices",
            [](auto& s) -> auto& { return s.engine; }),
        field(
            "precision", "single", "single or double", [](auto& s) -> auto& { return s.precision; }),
        field(
            "input_dim", "64", "input dimension n0", [](auto& s) -> auto& { return s.model.input_dim; },
            true),
        field(
            "activation", "relu", "activation: " + choices<model::Activation>(),
            [](auto& s) -> auto& { return s.model.activation; }, true),
        field(
            "leak", "0.1", "slope of leaky-relu below 0, from 0 to 1",
            [](auto& s) -> auto& { return s.model.leak; }, true),
        weight_variance_field(),
        field(
            "architecture", "mlp", "architecture: " + choices<model::Architecture>(),
            [](auto& s) -> auto& { return s.model.architecture; }, true),
        field(
            "branch_power", "0.5", "A: branches of residual networks are scaled by tau = L^-A",
            [](auto& s) -> auto& { return s.model.branch_power; }, true),
        field(
            "biases", "", "layers have biases, zero at first and trained",
            [](auto& s) -> auto& { return s.model.biases; }, true),
        optimizer_field(),
        field(
            "train", "all", "layers that take the step: all, first, hidden or last",
            [](auto& s) -> auto& { return s.model.train; }, true),
        field(
            "rates", "mup", "mup: layer-wise rates; global: one rate for every layer",
            [](auto& s) -> auto& { return s.model.parametrization; }, true),
        profile_field(),
        number_field(
            "steps", "30", "T, steps of training", max_steps,
            [](auto& s) -> auto& { return s.training.steps; }),
        number_field(
            "samples", "1", "P, training examples; of a file its first, by default all", max_samples,
            [](auto& s) -> auto& { return s.training.data.samples; }),
        data_field(),
        training_field(
            "online", "", "fresh examples every step, --samples of them",
            [](auto& s) -> auto& { return s.training.data.online; }),
        batch_field(),
        momentum_field(),
        target_field(),
        target_criterion_field(),
        target_threshold_field(),
    };
}

} // namespace

std::string_view optimizer_name(const Spec& spec) {
    for (const auto& each : remembering)
        if (each.memory == spec.training.memory) return each.name;
    return name_of(spec.model.optimizer);
}

bool Field::is_in(const Spec& spec) const {
    return absence(spec).empty() && !(optional && write(spec).is_null());
}

std::string Field::option() const {
    std::string name(key);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

std::span<const Field> fields() {
    static const auto list = make_fields();
    return list;
}

} // namespace etastar::sweep

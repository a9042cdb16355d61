#include "etastar/report/commands.hpp"

#include "etastar/error.hpp"
#include "etastar/names.hpp"
#include "etastar/sweep/fields.hpp"
#include "etastar/sweep/list.hpp"

#include "../json.hpp"
#include "markup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <utility>
#include <vector>

namespace etastar::report {
namespace {

std::vector<std::uint32_t> parsed(const std::string& text, const std::vector<std::uint32_t>&) {
    return sweep::parse_integer_list("list", text);
}
std::vector<double> parsed(const std::string& text, const std::vector<double>&) {
    return sweep::parse_real_list("list", text);
}

// The shortest way to write a list that reads as these very values.
template <class Value>
std::string list_text(const std::vector<Value>& values) {
    auto all = fmt::format("{}", fmt::join(values, ","));
    if (values.size() < 4) return all;
    const auto first = values.front();
    const auto last = values.back();
    for (const auto& range : {fmt::format("{}:{}:x{}", first, last, values[1] / first),
                              fmt::format("{}:{}:lin{}", first, last, values.size()),
                              fmt::format("{}:{}:log{}", first, last, values.size())})
        try {
            if (parsed(range, values) == values) return range;
        } catch (const UsageError&) {
            // Not a range of this kind.
        }
    return all;
}

// The spec that no option would make; of the fields that take part in it.
sweep::Spec default_spec() {
    sweep::Spec spec;
    for (const auto& field : sweep::fields())
        if (!field.is_flag()) field.parse(spec, field.option(), std::string(field.standard));
    return spec;
}

bool is_default(const sweep::Field& field, const sweep::Spec& spec) {
    static const auto standard = default_spec();
    if (field.key == "weight_variance") {
        auto own = spec.model;
        own.weight_variance.reset();
        return spec.model.gain() == own.gain();
    }
    const auto& data = spec.training.data;
    if (field.key == "batch") return data.full_batch();
    // By default all that a file has.
    if (field.key == "samples" && data.source == model::DataSource::file) return false;
    return field.write(spec) == field.write(standard);
}

std::string value_text(const sweep::Field& field, const sweep::Spec& spec) {
    const auto value = field.write(spec);
    if (field.key == "eta") return list_text(spec.eta);
    if (value.is_array()) return list_text(value.get<std::vector<std::uint32_t>>());
    return value.is_string() ? value.get<std::string>() : value.dump();
}

bool names_file(const sweep::Field& field, const sweep::Spec& spec) {
    return field.key == "data" && spec.training.data.source == model::DataSource::file;
}

// Option and value of what is not default; no value of a flag.
std::vector<std::pair<std::string, std::string>> options_of(const sweep::Spec& spec) {
    std::vector<std::pair<std::string, std::string>> options;
    for (const auto& field : sweep::fields())
        if (field.is_in(spec) && !is_default(field, spec))
            options.emplace_back(field.option(), field.is_flag()           ? ""
                                                 : names_file(field, spec) ? "FILE.h5"
                                                                           : value_text(field, spec));
    return options;
}

std::string ranges_text(const std::vector<analysis::Range>& ranges) {
    if (ranges.size() == 1 && ranges[0].first != ranges[0].last)
        return fmt::format("{}:{}", ranges[0].first, ranges[0].last);
    std::vector<std::uint32_t> values;
    values.reserve(ranges.size());
    for (const auto& range : ranges) values.push_back(range.first);
    return fmt::format("{}", fmt::join(values, ","));
}

// What a field is, to somebody who has not read the options' help.
std::string meaning_of(const sweep::Field& field) {
    static const std::map<std::string_view, const char*> meanings{
        {"trial", "what each network does: one step from its initialisation, or training of several steps"},
        {"width", "widths n, the number of neurons of every hidden layer"},
        {"depth", "depths L, the number of hidden layers"},
        {"eta", "base learning rates, in the unit of eta_unit"},
        {"eta_unit", "absolute: as they are; linear: multiples of eta*_lin(n, L), the rate that theory gives "
                     "to first order"},
        {"seeds", "random networks of each width and depth; of a sweep with a target the most"},
        {"first_seed", "seed of the first network of each width and depth"},
        {"engine",
         "how a network is computed: dense with its weight matrices; implicit by the same law without them"},
        {"precision", "floating-point numbers of the computation"},
        {"input_dim", "dimension n0 of the input"},
        {"activation", "nonlinearity of the hidden layers"},
        {"leak", "slope of the leaky ReLU below 0"},
        {"weight_variance", "variance of initial weights times fan-in"},
        {"architecture", "mlp: each layer follows the last; residual: each layer adds to the last"},
        {"branch_power", "A: what a layer of a residual network adds is scaled by L^-A"},
        {"biases", "whether layers have biases, which begin at zero and learn"},
        {"optimizer", "how a gradient becomes a step"},
        {"train", "layers that learn"},
        {"rates", "mup: each layer's rate is its own power of the width; global: one rate for every layer"},
        {"profile", "whether the response of every layer was kept"},
        {"steps", "steps of training"},
        {"samples", "training examples"},
        {"data", "where examples come from: random, a linear teacher, or a file, named by its digest"},
        {"online", "whether every step has fresh examples"},
        {"batch", "examples of one step"},
        {"momentum", "mu of u = mu u + gradient, by which a step goes"},
        {"target_ci", "half of the depth exponent's 95 % interval at which the sweep ends"},
        {"target_criterion", "criterion by which that exponent is fitted"},
        {"target_threshold", "threshold of that criterion"},
    };
    const auto found = meanings.find(field.key);
    return found == meanings.end() ? field.help : found->second;
}

} // namespace

std::string sweep_config(const sweep::Spec& spec) {
    std::string out;
    for (const auto& [option, value] : options_of(spec))
        out += fmt::format("{} = {}\n", option, value.empty() ? "true" : value);
    return out;
}

std::string sweep_words(const sweep::Spec& spec) {
    std::string out;
    for (const auto& [option, value] : options_of(spec))
        out += fmt::format(" --{}{}{}", option, value.empty() ? "" : " ",
                           value.empty() ? "" : shell_word(value));
    return out;
}

std::vector<SpecEntry> spec_entries(const sweep::Spec& spec) {
    std::vector<SpecEntry> entries;
    for (const auto& field : sweep::fields())
        if (field.is_in(spec))
            entries.push_back({std::string(field.key), value_text(field, spec), meaning_of(field)});
    return entries;
}

std::string fit_words(const analysis::FitOptions& options) {
    const analysis::FitOptions standard;
    std::string out;
    const auto add = [&](const char* option, const std::string& value) {
        out += fmt::format(" --{}{}{}", option, value.empty() ? "" : " ",
                           value.empty() ? "" : shell_word(value));
    };
    for (const auto* criterion : options.criteria) add("criterion", std::string(criterion->name()));
    for (const double threshold : options.thresholds) add("threshold", fmt::format("{}", threshold));
    if (options.step) add("step", fmt::format("{}", *options.step));
    if (options.fraction) add("fraction", fmt::format("{}", *options.fraction));
    if (options.layer != standard.layer) add("layer", std::string(name_of(options.layer)));
    if (options.relative) add("relative", "");
    if (options.statistic != standard.statistic) add("statistic", std::string(name_of(options.statistic)));
    if (!options.widths.empty()) add("width", ranges_text(options.widths));
    if (!options.depths.empty()) add("depth", ranges_text(options.depths));
    if (options.resamples != standard.resamples) add("resamples", fmt::format("{}", options.resamples));
    if (options.seed != standard.seed) add("seed", fmt::format("{}", options.seed));
    return out;
}

} // namespace etastar::report

#include "etastar/sweep/spec.hpp"

#include <boost/uuid/name_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

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
    return Json{{"width", spec.width},
                {"depth", spec.depth},
                {"eta", spec.eta},
                {"eta_unit", name_of(spec.eta_unit)},
                {"seeds", spec.seeds},
                {"first_seed", spec.first_seed},
                {"engine", name_of(spec.engine)},
                {"input_dim", spec.input_dim},
                {"precision", name_of(spec.precision)},
                {"train", name_of(spec.train)},
                {"rates", name_of(spec.rates)},
                {"profile", spec.profile}};
}

} // namespace

network::NetworkId Spec::network(std::uint64_t index) const {
    const std::uint64_t cell = index / seeds;
    return {width[cell / depth.size()], depth[cell % depth.size()], first_seed + index % seeds};
}

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

void validate(const Spec& spec) {
    validate_grid(spec.width, spec.depth);
    validate_axis("eta", spec.eta);
    if (spec.seeds == 0) throw UsageError("seeds: 0 is not a positive integer");
    if (spec.input_dim == 0) throw UsageError("input-dim: 0 is not a positive integer");
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
        tree.at("width").get_to(spec.width);
        tree.at("depth").get_to(spec.depth);
        tree.at("eta").get_to(spec.eta);
        spec.eta_unit = parse_name<EtaUnit>(tree.at("eta_unit").get<std::string>());
        tree.at("seeds").get_to(spec.seeds);
        tree.at("first_seed").get_to(spec.first_seed);
        spec.engine = parse_name<EngineKind>(tree.at("engine").get<std::string>());
        tree.at("input_dim").get_to(spec.input_dim);
        spec.precision = parse_name<Precision>(tree.at("precision").get<std::string>());
        spec.train = parse_name<network::Train>(tree.at("train").get<std::string>());
        spec.rates = parse_name<network::Rates>(tree.at("rates").get<std::string>());
        tree.at("profile").get_to(spec.profile);
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

std::vector<Difference> differences(const Spec& here, const Spec& there) {
    std::vector<Difference> list;
    const auto mine = to_tree(here);
    const auto theirs = to_tree(there);
    for (const auto& [key, value] : mine.items())
        if (value != theirs.at(key)) list.push_back({key, value.dump(), theirs.at(key).dump()});
    return list;
}

} // namespace etastar::sweep

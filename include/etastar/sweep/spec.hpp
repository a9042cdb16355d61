#pragma once

#include "etastar/network/network.hpp"
#include "etastar/network/rates.hpp"
#include "etastar/sweep/names.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::sweep {

enum class EngineKind { dense, implicit };
enum class Precision { single_, double_ };

// Units of the eta axis. linear: multiples of the exact eta*_lin(n, L) at threshold 1.
enum class EtaUnit { absolute, linear };

// Deepest network: memory and exact theory grow with the depth.
inline constexpr std::uint32_t max_depth = std::uint32_t{1} << 24;

// What a sweep computes: everything that its numbers depend on, and nothing else. Two sweeps with equal specs
// have equal tables.
struct Spec {
    std::vector<std::uint32_t> width; // sorted, distinct, as all axes
    std::vector<std::uint32_t> depth;
    std::vector<double> eta; // in units of eta_unit
    EtaUnit eta_unit = EtaUnit::linear;
    std::uint64_t seeds = 0; // networks per (width, depth)
    std::uint64_t first_seed = 0;
    EngineKind engine = EngineKind::implicit;
    std::uint32_t input_dim = 0;
    Precision precision = Precision::single_;
    network::Train train = network::Train::all;
    network::Rates rates = network::Rates::mup;
    bool profile = false;

    std::uint64_t networks() const { return width.size() * depth.size() * seeds; }
    std::uint64_t rows() const { return networks() * eta.size(); }

    // Network i in canonical order: width, then depth, then seed. Its rows are i * eta.size() and the
    // eta.size() - 1 after it.
    network::NetworkId network(std::uint64_t index) const;

    bool operator==(const Spec&) const = default;
};

// Throws UsageError where an axis is empty, unsorted, repeats or holds a value out of range, or the grid is
// too large to be meant.
void validate(const Spec& spec);

// The same for the grid of networks alone: no depth beyond max_depth, and not more (width, depth), or layers of them,
// than somebody would wait for.
void validate_grid(const std::vector<std::uint32_t>& width, const std::vector<std::uint32_t>& depth);

// The spec as one line of JSON with fixed key order, and back. from_json throws UsageError.
std::string to_json(const Spec& spec);
Spec from_json(const std::string& text);

// Name-based UUID (RFC 4122, version 5, URL namespace) of a spec's JSON line.
std::string hash(const std::string& json);

// A field in which two specs differ: its name, and its values as JSON.
struct Difference {
    std::string field;
    std::string here;
    std::string there;
};
std::vector<Difference> differences(const Spec& here, const Spec& there);

template <>
struct Names<EngineKind> {
    static constexpr std::string_view what = "engine";
    static constexpr NameTable<EngineKind, 2> table{
        {{"dense", EngineKind::dense}, {"implicit", EngineKind::implicit}}};
};
template <>
struct Names<Precision> {
    static constexpr std::string_view what = "precision";
    static constexpr NameTable<Precision, 2> table{
        {{"single", Precision::single_}, {"double", Precision::double_}}};
};
template <>
struct Names<EtaUnit> {
    static constexpr std::string_view what = "eta-unit";
    static constexpr NameTable<EtaUnit, 2> table{
        {{"absolute", EtaUnit::absolute}, {"linear", EtaUnit::linear}}};
};
template <>
struct Names<network::Train> {
    static constexpr std::string_view what = "train";
    static constexpr NameTable<network::Train, 4> table{{{"all", network::Train::all},
                                                         {"first", network::Train::first},
                                                         {"hidden", network::Train::hidden},
                                                         {"last", network::Train::last}}};
};
template <>
struct Names<network::Rates> {
    static constexpr std::string_view what = "rates";
    static constexpr NameTable<network::Rates, 2> table{
        {{"mup", network::Rates::mup}, {"global", network::Rates::global}}};
};

} // namespace etastar::sweep

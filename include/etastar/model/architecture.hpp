#pragma once

#include "etastar/model/list.hpp"
#include "etastar/names.hpp"

#include <cstdint>
#include <string_view>

namespace etastar::model {

// How layer l > 1 is made of the layer below:  z^l = skip z^{l-1} + branch (W^l phi(z^{l-1}) + b^l).
struct Block {
    double skip = 0; // 0 or 1
    double branch = 1;
};

// An architecture is one struct: the block of its hidden layers. Layer 1 is z^1 = W^1 x + b^1 in all of them, and the
// output f = v . phi(z^L). To add one, write the struct and name it in Architectures below.
struct Mlp {
    static constexpr std::string_view name = "mlp";

    static Block hidden(std::uint32_t /*depth*/, double /*branch_power*/) { return {0, 1}; }
};

// A stream of residual branches, z^l = z^{l-1} + tau W^l phi(z^{l-1}) with tau = L^-branch_power.
struct Residual {
    static constexpr std::string_view name = "residual";

    static Block hidden(std::uint32_t depth, double branch_power);
};

using Architectures = List<Mlp, Residual>;

// Which architecture: its place in Architectures.
enum class Architecture : std::uint8_t {};

template <class Struct>
inline constexpr Architecture architecture_of = place<Architecture, Struct>(Architectures{});

template <class Visitor>
decltype(auto) visit(Architecture architecture, Visitor&& visitor) {
    return visit(Architectures{}, architecture, std::forward<Visitor>(visitor));
}

// x^-power, the nearest double: the same bits on every processor, which a mathematical library does not promise.
double inverse_power(double x, double power);

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::Architecture> {
    static constexpr std::string_view what = "architecture";
    static constexpr auto table = model::list_names<model::Architecture>(model::Architectures{});
};

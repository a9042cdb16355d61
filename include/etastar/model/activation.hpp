#pragma once

#include "etastar/names.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace etastar::model {

// An activation phi is one struct: what the engines ask of it, and what theories need to know. To add one, write the
// struct and name it in Activations below; options, files and engines follow.
//
//     name                 as in --activation and in the file
//     weight_variance      s2: W^l ~ N(0, s2 / fan-in) at which E ||h^l||^2 does not change from layer to layer
//     homogeneous          phi(a z) = a phi(z) for a > 0: z may be kept in any unit
//     fair_mask            phi'(z) is 0 or 1, and as often for -z as for z: the coin model of docs/science.md, section 4
//
//     value(z)             phi(z)
//     pull_back(z, u)      phi'(z) u
//     change(z, d, kink)   (phi(z + s d) - phi(z)) / s with kink = 1/s, without cancellation at small s; at the largest
//                          kink the linear response, phi'(z) d
struct Relu {
    static constexpr std::string_view name = "relu";
    static constexpr double weight_variance = 2;
    static constexpr bool homogeneous = true;
    static constexpr bool fair_mask = true;

    template <class T>
    static T value(T z) {
        return z < T{0} ? T{0} : z;
    }

    template <class T>
    static T pull_back(T z, T u) {
        return z > T{0} ? u : T{0};
    }

    // max(d, -z kink) for an active neuron, max(d + z kink, 0) for an inactive one.
    template <class T>
    static T change(T z, T d, T kink) {
        const T active = z > T{0} ? z : T{0};
        const T inactive = z > T{0} ? T{0} : z;
        const T floor = -(active * kink);
        const T shifted = d + inactive * kink;
        return shifted < floor ? floor : shifted;
    }
};

template <class... Each>
struct ActivationList {};

using Activations = ActivationList<Relu>;

// Which activation: its place in Activations.
enum class Activation : std::uint8_t {};

namespace detail {

template <class Wanted, class... Each>
constexpr Activation place(ActivationList<Each...>) {
    std::uint8_t at = 0;
    bool found = false;
    ((found = found || std::is_same_v<Wanted, Each>, at = static_cast<std::uint8_t>(at + (found ? 0 : 1))),
     ...);
    return Activation{at};
}

template <class... Each>
constexpr auto activation_names(ActivationList<Each...> list) {
    return NameTable<Activation, sizeof...(Each)>{{{Each::name, place<Each>(list)}...}};
}

template <class Visitor, class First, class... Rest>
decltype(auto) visit(Activation activation, Visitor&& visitor, ActivationList<First, Rest...>) {
    if constexpr (sizeof...(Rest) > 0)
        if (activation != place<First>(Activations{}))
            return visit(activation, std::forward<Visitor>(visitor), ActivationList<Rest...>{});
    return visitor(First{});
}

} // namespace detail

template <class Struct>
inline constexpr Activation activation_of = detail::place<Struct>(Activations{});

// visitor(Struct{}) of this activation's struct.
template <class Visitor>
decltype(auto) visit(Activation activation, Visitor&& visitor) {
    return detail::visit(activation, std::forward<Visitor>(visitor), Activations{});
}

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::Activation> {
    static constexpr std::string_view what = "activation";
    static constexpr auto table = model::detail::activation_names(model::Activations{});
};

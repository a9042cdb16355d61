#pragma once

#include "etastar/model/list.hpp"
#include "etastar/model/sigmoid.hpp"
#include "etastar/names.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace etastar::model {

// An activation phi is one struct: what the engines ask of it, and what theories need to know. To add one, write the
// struct and name it in Activations below; options, files and engines follow.
//
//     name                 as in --activation and in the file
//     homogeneous          phi(a z) = a phi(z) for a > 0: z may be kept in any unit
//     piecewise_linear     phi'(z) is 1 for z > 0, and negative_slope() for z <= 0
//     weight_variance()    s2 at which W^l ~ N(0, s2 / fan-in) keeps lengths: E phi(sqrt(s2) g)^2 = 1 for a homogeneous
//                          phi, gelu and silu; the critical point, 1, for those of slope 1 at 0
//
// V is float, double or a vector of either. Results are made of + - * / and comparisons only, with the same bits for a
// scalar as for a vector's element, on every processor.
//
//     value(z)             phi(z)
//     slope(z)             phi'(z). Never of the wrong sign, and 0 only where it is: in the tails at least +-1e-30
//     evaluate(z, v, s)    v = value(z), s = slope(z); where both cost little more than one
//     study(z, known)      known[0 .. facts): what change() is to know of z. Once for a neuron, however many the steps
//     change(known, d, step, kink)
//                          (phi(z + step d) - phi(z)) / step for any step >= 0, without cancellation; phi'(z) d at 0.
//                          known(j) is known[j] of the study, an Element<V>. kink = min(1 / step, 1e38): finite, so that
//                          a neuron at exactly 0 gives 0 and not NaN, yet far beyond any d
//
// Errors of those that are not piecewise linear: of a value 4e-7 max(1, |z|) in single and 2e-15 max(1, |z|) in double
// precision; of a slope, and of change over |d|, 1e-6 (2.5e-6 about the clamp of gelu) and 4e-15. A d that is not a
// number gives none. |d| <= 1e28 in single precision.
struct Relu {
    static constexpr std::string_view name = "relu";
    static constexpr bool homogeneous = true;
    static constexpr bool piecewise_linear = true;
    static constexpr std::size_t facts = 2; // -max(z, 0), min(z, 0)

    static constexpr double weight_variance() { return 2; }
    static constexpr double negative_slope() { return 0; }

    template <class V>
    [[gnu::always_inline]] static V value(V z) {
        return z < V{} ? V{} : z;
    }

    template <class V>
    [[gnu::always_inline]] static V slope(V z) {
        return z > V{} ? detail::broadcast<V>(Element<V>(1)) : V{};
    }

    template <class V>
    [[gnu::always_inline]] static void study(V z, V* known) {
        known[0] = z > V{} ? -z : V{};
        known[1] = z > V{} ? V{} : z;
    }

    // max(d, -z kink) for an active neuron, max(d + z kink, 0) for an inactive one.
    template <class V, class Known>
    [[gnu::always_inline]] static V change(Known known, V d, V /*step*/, V kink) {
        const V floor = known(0) * kink;
        const V shifted = d + known(1) * kink;
        return detail::at_least(shifted, floor);
    }
};

// max(z, leak z), 0 <= leak <= 1
struct LeakyRelu {
    static constexpr std::string_view name = "leaky-relu";
    static constexpr bool homogeneous = true;
    static constexpr bool piecewise_linear = true;
    static constexpr std::size_t facts = 2;

    double leak = 0.1;

    constexpr double weight_variance() const { return 2 / (1 + leak * leak); }
    constexpr double negative_slope() const { return leak; }

    template <class V>
    [[gnu::always_inline]] V value(V z) const {
        return z < V{} ? z * Element<V>(leak) : z;
    }

    template <class V>
    [[gnu::always_inline]] V slope(V z) const {
        return z > V{} ? detail::broadcast<V>(Element<V>(1)) : detail::broadcast<V>(Element<V>(leak));
    }

    template <class V>
    [[gnu::always_inline]] void study(V z, V* known) const {
        const V bend = z * Element<V>(1 - leak);
        known[0] = z > V{} ? V{} : bend;
        known[1] = z > V{} ? -bend : V{};
    }

    // The larger of the changes along either line, both from phi(z).
    template <class V, class Known>
    [[gnu::always_inline]] V change(Known known, V d, V /*step*/, V kink) const {
        return detail::at_least(d + known(0) * kink, d * Element<V>(leak) + known(1) * kink);
    }
};

struct Linear {
    static constexpr std::string_view name = "linear";
    static constexpr bool homogeneous = true;
    static constexpr bool piecewise_linear = true;
    static constexpr std::size_t facts = 1; // unused; no array is empty

    static constexpr double weight_variance() { return 1; }
    static constexpr double negative_slope() { return 1; }

    template <class V>
    [[gnu::always_inline]] static V value(V z) {
        return z;
    }

    template <class V>
    [[gnu::always_inline]] static V slope(V /*z*/) {
        return detail::broadcast<V>(Element<V>(1));
    }

    template <class V>
    [[gnu::always_inline]] static void study(V z, V* known) {
        known[0] = z;
    }

    template <class V, class Known>
    [[gnu::always_inline]] static V change(Known /*known*/, V d, V /*step*/, V /*kink*/) {
        return d;
    }
};

namespace detail {

// An odd sigmoid of slope 1 at 0.
template <class Rational>
struct SigmoidActivation {
    static constexpr bool homogeneous = false;
    static constexpr bool piecewise_linear = false;
    static constexpr std::size_t facts = Sigmoid<Rational>::facts;
    template <class T>
    static constexpr std::size_t facts_in = Sigmoid<Rational>::template facts_in<T>;

    static constexpr double weight_variance() { return 1; }

    template <class V>
    [[gnu::always_inline]] static V value(V z) {
        return Sigmoid<Rational>::value(z);
    }

    template <class V>
    [[gnu::always_inline]] static V slope(V z) {
        return at_least(Sigmoid<Rational>::slope(z), broadcast<V>(Element<V>(tiny)));
    }

    template <class V>
    [[gnu::always_inline]] static void evaluate(V z, V& value, V& slope) {
        const auto both = Sigmoid<Rational>::value_and_slope(z);
        value = both.value;
        slope = at_least(both.slope, broadcast<V>(Element<V>(tiny)));
    }

    template <class V>
    [[gnu::always_inline]] static void study(V z, V* known) {
        Sigmoid<Rational>::study(z, known);
    }

    template <class V, class Known>
    [[gnu::always_inline]] static V change(Known known, V d, V step, V kink) {
        return Sigmoid<Rational>::change(known, d, step, kink);
    }
};

// phi(z) = z S(z), S = 1/2 + the sigmoid. With y = z + step d, phi(y) - phi(z) = step d S(y) + z (S(y) - S(z)).
template <class Rational>
struct GatedActivation {
    static constexpr bool homogeneous = false;
    static constexpr bool piecewise_linear = false;
    static constexpr std::size_t facts = Sigmoid<Rational>::facts + 2;
    template <class T>
    static constexpr std::size_t facts_in = Sigmoid<Rational>::template facts_in<T> + 2;

    template <class V>
    [[gnu::always_inline]] static V value(V z) {
        return z * gate(z);
    }

    // It decreases below some point between -2 and -0.7, towards 0.
    template <class V>
    [[gnu::always_inline]] static V slope(V z) {
        V value;
        V slope;
        evaluate(z, value, slope);
        return slope;
    }

    template <class V>
    [[gnu::always_inline]] static void evaluate(V z, V& value, V& slope) {
        const auto sigmoid = Sigmoid<Rational>::value_and_slope(z);
        const V gate = at_least(sigmoid.value + Element<V>(0.5), broadcast<V>(Element<V>(tiny)));
        const V sum = gate + z * sigmoid.slope;
        const V falling = at_most(sum, broadcast<V>(-Element<V>(tiny)));
        value = z * gate;
        slope = z < broadcast<V>(Element<V>(-2)) ? falling : sum;
    }

    template <class V>
    [[gnu::always_inline]] static void study(V z, V* known) {
        known[0] = z;
        known[1] = gate(z);
        Sigmoid<Rational>::study(z, known + 2);
    }

    template <class V, class Known>
    [[gnu::always_inline]] static V change(Known known, V d, V step, V kink) {
        const V gate_change = Sigmoid<Rational>::change(
            [&](std::size_t j) __attribute__((always_inline)) { return known(j + 2); }, d, step, kink);
        return d * (step * gate_change + known(1)) + gate_change * known(0);
    }

private:
    template <class V>
    [[gnu::always_inline]] static V gate(V z) {
        return at_least(Sigmoid<Rational>::value(z) + Element<V>(0.5), broadcast<V>(Element<V>(tiny)));
    }
};

} // namespace detail

struct Tanh : detail::SigmoidActivation<TanhRational> {
    static constexpr std::string_view name = "tanh";
};

// erf(sqrt(pi) z / 2)
struct Erf : detail::SigmoidActivation<ErfRational> {
    static constexpr std::string_view name = "erf";
};

// z Phi(z), Phi the normal distribution function
struct Gelu : detail::GatedActivation<NormalRational> {
    static constexpr std::string_view name = "gelu";
    static constexpr double weight_variance() { return 2.1550570610921848752; }
};

// z / (1 + exp(-z))
struct Silu : detail::GatedActivation<LogisticRational> {
    static constexpr std::string_view name = "silu";
    static constexpr double weight_variance() { return 2.4297325195902470523; }
};

// One neuron's change by one step: study() and change() of a scalar.
template <class Activation, class T>
T change(const Activation& activation, T z, T d, T step) {
    T known[Activation::facts];
    activation.study(z, known);
    const T kink = step > T(1e-38) ? 1 / step : T(1e38);
    return activation.change([&](std::size_t j) { return known[j]; }, d, step, kink);
}

using Activations = List<Relu, LeakyRelu, Linear, Tanh, Erf, Gelu, Silu>;

// Which activation: its place in Activations.
enum class Activation : std::uint8_t {};

template <class Struct>
inline constexpr Activation activation_of = place<Activation, Struct>(Activations{});

// visitor(the activation's struct); the leak is the leaky relu's.
template <class Visitor>
decltype(auto) visit(Activation activation, double leak, Visitor&& visitor) {
    return visit(Activations{}, activation, [&](auto phi) -> decltype(auto) {
        if constexpr (requires { phi.leak; }) phi.leak = leak;
        return visitor(phi);
    });
}

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::Activation> {
    static constexpr std::string_view what = "activation";
    static constexpr auto table = model::list_names<model::Activation>(model::Activations{});
};

#pragma once

// The definitions of the kernels, for the instruction set that the including file is compiled for: ETASTAR_ISA is its
// namespace.
#include "../vector_units.hpp"
#include "neuron_kernels.hpp"

#include <cstddef>

namespace etastar::engine::ETASTAR_ISA {

using namespace vector_units::ETASTAR_ISA;

// Calls body for vectors of the inputs, which returns those of the outputs by reference; the rest of a layer is padded with
// zeros.
template <class T, std::size_t Inputs, std::size_t Outputs, class Body>
inline void map(const T* const (&inputs)[Inputs], T* const (&outputs)[Outputs], std::size_t count,
                Body body) {
    using Vector = typename Native<T>::Vector;
    constexpr std::size_t lanes = Native<T>::lanes;
    Vector in[Inputs];
    Vector out[Outputs];
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        for (std::size_t k = 0; k < Inputs; ++k) in[k] = load<Vector>(inputs[k] + i);
        body(in, out);
        for (std::size_t k = 0; k < Outputs; ++k) store(out[k], outputs[k] + i);
    }
    if (i == count) return;
    for (std::size_t k = 0; k < Inputs; ++k) {
        T padded[lanes] = {};
        for (std::size_t j = i; j < count; ++j) padded[j - i] = inputs[k][j];
        in[k] = load<Vector>(padded);
    }
    body(in, out);
    for (std::size_t k = 0; k < Outputs; ++k) {
        T padded[lanes];
        store(out[k], padded);
        for (std::size_t j = i; j < count; ++j) outputs[k][j] = padded[j - i];
    }
}

// Calls body(values, first, count) for groups of eight neurons; the rest is padded with zeros, which add nothing to any sum.
template <class T, std::size_t Inputs, class Body>
inline void for_groups(const T* const (&inputs)[Inputs], std::size_t count, Body body) {
    Group<T> values[Inputs];
    std::size_t i = 0;
    for (; i + group <= count; i += group) {
        for (std::size_t k = 0; k < Inputs; ++k) values[k] = load<Group<T>>(inputs[k] + i);
        body(values, i, group);
    }
    if (i == count) return;
    for (std::size_t k = 0; k < Inputs; ++k) {
        T padded[group] = {};
        for (std::size_t j = i; j < count; ++j) padded[j - i] = inputs[k][j];
        values[k] = load<Group<T>>(padded);
    }
    body(values, i, count - i);
}

template <class T>
inline void store_group(const Group<T>& values, std::size_t count, T* to, std::size_t stride = 1) {
    if (count == group && stride == 1) {
        store(values, to);
        return;
    }
    T plain[group];
    store(values, plain);
    for (std::size_t j = 0; j < count; ++j) to[j * stride] = plain[j];
}

template <class V>
inline V sign_of(V x) {
    const V one = V{} + 1;
    return x > V{} ? one : (x < V{} ? -one : V{});
}

template <class T>
void widen_values(const float* from, std::size_t count, T* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i];
}

template <class T>
void scale(const float* from, T factor, std::size_t count, T* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = factor * from[i];
}

template <class T>
void stream(const T* from, T a, const float* g, T b, std::size_t count, T* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = a * from[i] + b * static_cast<T>(g[i]);
}

template <class T>
void forward(const Neurons<T>& neurons, bool absolute, ForwardSums& sums) {
    ProductSum z2;
    ProductSum h2;
    ProductSum side;
    ProductSum h1;
    for_groups<T>({neurons.z, neurons.h, neurons.side}, neurons.count,
                  [&](const Group<T>(&v)[3], std::size_t, std::size_t) {
                      const Doubles z = widen(v[0]);
                      const Doubles h = widen(v[1]);
                      z2.add(z, z);
                      h2.add(h, h);
                      side.add(h, widen(v[2]));
                      if (absolute) h1.add_absolute(h);
                  });
    sums.z2 += z2.total();
    sums.h2 += h2.total();
    sums.side += side.total();
    sums.h1 += h1.total();
}

template <class T>
void gradient(const Neurons<T>& neurons, const GradientTerms<T>& terms, T* p) {
    using Vector = typename Native<T>::Vector;
    map<T>({neurons.slope, neurons.h, neurons.side}, {p}, neurons.count,
           [&](const Vector(&in)[3], Vector(&out)[1]) {
               out[0] = in[0] * (terms.h_part * in[1] + terms.side_part * in[2]);
           });
}

template <class T>
void backward(const Neurons<T>& neurons, const GradientTerms<T>& terms, bool absolute, T* p,
              GradientSums& sums) {
    ProductSum p2;
    ProductSum along;
    ProductSum fresh;
    ProductSum p1;
    const bool has_above = terms.above != nullptr;
    const T* const any = neurons.slope; // read, not used, in place of what there is not
    const T* const forward_or_any = neurons.forward != nullptr ? neurons.forward : any;
    const T* const fresh_or_any = neurons.fresh != nullptr ? neurons.fresh : any;
    const auto each = [&](const Group<T>(&v)[6], std::size_t first, std::size_t count) {
        Group<T> value;
        for (std::size_t k = 0; k < parts; ++k) {
            value.part[k] = v[0].part[k] * (terms.h_part * v[1].part[k] + terms.side_part * v[2].part[k]);
            if (has_above) value.part[k] = value.part[k] + terms.above_part * v[5].part[k];
        }
        if (p != nullptr) store_group(value, count, p + first);
        const Doubles wide = widen(value);
        p2.add(wide, wide);
        along.add(wide, widen(v[3]));
        fresh.add(wide, widen(v[4]));
        if (absolute) p1.add_absolute(wide);
    };
    for_groups<T>(
        {neurons.slope, neurons.h, neurons.side, forward_or_any, fresh_or_any, has_above ? terms.above : any},
        neurons.count, each);
    sums.p2 += p2.total();
    if (neurons.forward != nullptr) sums.along += along.total();
    if (neurons.fresh != nullptr) sums.fresh += fresh.total();
    sums.p1 += p1.total();
}

template <class T>
double dot(const T* a, const T* b, std::size_t count) {
    ProductSum sum;
    for_groups<T>({a, b}, count, [&](const Group<T>(&v)[2], std::size_t, std::size_t) {
        sum.add(widen(v[0]), widen(v[1]));
    });
    return sum.total();
}

// What of the terms is known when the loop is compiled costs nothing in it.
template <class T, bool Base, bool Gaussian, bool Signs>
void response_with(const Neurons<T>& neurons, Response<T>& r) {
    ProductSum change2;
    ProductSum active2;
    ProductSum overlap;
    ProductSum projection;
    ProductSum sign_overlap;
    const T* const any = neurons.slope;
    for_groups<T>({neurons.gradient, neurons.slope, neurons.h, neurons.side, Gaussian ? neurons.forward : any,
                   Gaussian ? neurons.fresh : any},
                  neurons.count, [&](const Group<T>(&v)[6], std::size_t first, std::size_t count) {
                      Group<T> base;
                      if constexpr (Base) {
                          T plain[group] = {};
                          for (std::size_t j = 0; j < count; ++j)
                              plain[j] = neurons.base[(first + j) * neurons.stride];
                          base = load<Group<T>>(plain);
                      }
                      Group<T> d;
                      Group<T> e;
                      for (std::size_t k = 0; k < parts; ++k) {
                          auto value = r.backward * v[0].part[k];
                          if constexpr (Gaussian)
                              value = r.forward * v[4].part[k] + value + r.fresh * v[5].part[k];
                          if constexpr (Base) value = r.base * base.part[k] + value;
                          if constexpr (Signs) value += r.sign * sign_of(v[0].part[k]);
                          d.part[k] = value;
                          e.part[k] = v[1].part[k] * value;
                      }
                      if constexpr (Base) {
                          store_group(d, count, neurons.base + first * neurons.stride, neurons.stride);
                          if (neurons.out != nullptr)
                              store_group(e, count, neurons.out + first * neurons.stride, neurons.stride);
                      }
                      const Doubles wide_d = widen(d);
                      const Doubles wide_e = widen(e);
                      const Doubles wide_h = widen(v[2]);
                      change2.add(wide_d, wide_d);
                      active2.add(wide_e, wide_e);
                      overlap.add(wide_h, wide_e);
                      projection.add(widen(v[3]), wide_e);
                      if constexpr (Signs) {
                          Doubles signs;
                          for (std::size_t k = 0; k < parts; ++k) signs.part[k] = sign_of(wide_h.part[k]);
                          sign_overlap.add(signs, wide_e);
                      }
                  });
    r.change2 += change2.total();
    r.active2 += active2.total();
    r.overlap += overlap.total();
    r.projection += projection.total();
    r.sign_overlap += sign_overlap.total();
}

template <class T>
void response(const Neurons<T>& neurons, Terms terms, Response<T>& r) {
    const auto with_signs = [&]<bool Signs>() {
        if (!terms.base)
            response_with<T, false, true, Signs>(neurons, r);
        else if (terms.gaussian)
            response_with<T, true, true, Signs>(neurons, r);
        else
            response_with<T, true, false, Signs>(neurons, r);
    };
    if (terms.signs)
        with_signs.template operator()<true>();
    else
        with_signs.template operator()<false>();
}

// Neurons that are prepared at a time.
inline constexpr std::size_t block_size = 32;

template <class Phi>
inline Phi activation_with(double leak) {
    Phi phi;
    if constexpr (requires { phi.leak; }) phi.leak = leak;
    return phi;
}

template <class T, class Phi>
void activate(double leak, const T* z, std::size_t count, T* h, T* slope) {
    using Vector = typename Native<T>::Vector;
    const Phi phi = activation_with<Phi>(leak);
    map<T>({z}, {h, slope}, count, [&](const Vector(&in)[1], Vector(&out)[2]) {
        if constexpr (requires { phi.evaluate(in[0], out[0], out[1]); }) {
            phi.evaluate(in[0], out[0], out[1]);
        } else {
            out[0] = phi.value(in[0]);
            out[1] = phi.slope(in[0]);
        }
    });
}

// Some activations have fewer facts in single precision.
template <class T, class Phi>
inline constexpr std::size_t facts_of = [] {
    if constexpr (requires { Phi::template facts_in<T>; })
        return Phi::template facts_in<T>;
    else
        return Phi::facts;
}();

template <class T, class Phi, bool Base, bool Gaussian, bool Signs>
void panel(double leak, const Neurons<T>& neurons, Panel<T>& panel) {
    using Vector = typename Native<T>::Vector;
    constexpr std::size_t lanes = Native<T>::lanes;
    // As many columns at a time as their coefficients and sums stay in registers.
    constexpr std::size_t vectors = lanes == panel_columns ? 1 : 2;
    static_assert(panel_columns % (vectors * lanes) == 0 && block_size % lanes == 0);
    const Phi phi = activation_with<Phi>(leak);
    for (std::size_t first = 0; first < neurons.count; first += block_size) {
        const std::size_t rest = neurons.count - first;
        const std::size_t count = rest < block_size ? rest : block_size;
        // What all columns share, ahead of them.
        constexpr std::size_t fact_count = facts_of<T, Phi>;
        T facts[fact_count][block_size];
        T signs[Signs ? block_size : 1];
        T h_signs[Signs ? block_size : 1];
        {
            T padded[block_size] = {};
            const T* z = neurons.z + first;
            if (count < block_size) {
                for (std::size_t i = 0; i < count; ++i) padded[i] = z[i];
                z = padded;
            }
            for (std::size_t i = 0; i < block_size; i += lanes) {
                Vector known[Phi::facts];
                phi.study(load<Vector>(z + i), known);
                for (std::size_t j = 0; j < fact_count; ++j) store(known[j], facts[j] + i);
            }
        }
        if constexpr (Signs)
            for (std::size_t i = 0; i < count; ++i) {
                const T p = neurons.gradient[first + i];
                const T h = neurons.h[first + i];
                signs[i] = static_cast<T>((p > 0) - (p < 0));
                h_signs[i] = static_cast<T>((h > 0) - (h < 0));
            }
        for (std::size_t column = 0; column < panel_columns; column += vectors * lanes) {
            Vector base[vectors], forward[vectors], backward[vectors], fresh[vectors], sign[vectors];
            Vector step[vectors], kink[vectors];
            Vector change2[vectors] = {}, active2[vectors] = {}, overlap[vectors] = {},
                   projection[vectors] = {}, sign_overlap[vectors] = {};
            for (std::size_t k = 0; k < vectors; ++k) {
                const std::size_t at = column + k * lanes;
                base[k] = load<Vector>(panel.base.data() + at);
                forward[k] = load<Vector>(panel.forward.data() + at);
                backward[k] = load<Vector>(panel.backward.data() + at);
                fresh[k] = load<Vector>(panel.fresh.data() + at);
                sign[k] = load<Vector>(panel.sign.data() + at);
                step[k] = load<Vector>(panel.step.data() + at);
                kink[k] = load<Vector>(panel.kink.data() + at);
            }
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t neuron = first + i;
                const auto known = [&](std::size_t j) { return facts[j][i]; };
                for (std::size_t k = 0; k < vectors; ++k) {
                    const std::size_t at = neuron * neurons.stride + column + k * lanes;
                    Vector d = backward[k] * neurons.gradient[neuron];
                    if constexpr (Gaussian)
                        d = forward[k] * neurons.forward[neuron] + d + fresh[k] * neurons.fresh[neuron];
                    if constexpr (Base) d = base[k] * load<Vector>(neurons.base + at) + d;
                    if constexpr (Signs) d += sign[k] * signs[i];
                    const Vector e = phi.change(known, d, step[k], kink[k]);
                    change2[k] += d * d;
                    active2[k] += e * e;
                    overlap[k] += e * neurons.h[neuron];
                    projection[k] += e * neurons.side[neuron];
                    if constexpr (Signs) sign_overlap[k] += e * h_signs[i];
                    if constexpr (Base) {
                        store(d, neurons.base + at);
                        if (neurons.out != nullptr) store(e, neurons.out + at);
                    }
                }
            }
            const auto deliver = [&](const Vector(&sums)[vectors],
                                     std::array<double, panel_columns>& totals) {
                for (std::size_t k = 0; k < vectors; ++k)
                    for (std::size_t lane = 0; lane < lanes; ++lane)
                        totals[column + k * lanes + lane] += sums[k][lane];
            };
            deliver(change2, panel.change2);
            deliver(active2, panel.active2);
            deliver(overlap, panel.overlap);
            deliver(projection, panel.projection);
            if constexpr (Signs) deliver(sign_overlap, panel.sign_overlap);
        }
    }
}

template <class T>
constexpr SumKernels<T> sum_kernels() {
    return {widen_values<T>, scale<T>, stream<T>, forward<T>, gradient<T>, backward<T>, dot<T>, response<T>};
}

// Engines have either a base alone (products with matrices), variates alone, or both.
template <class T, class Phi>
constexpr ActivationKernels<T> activation_kernels() {
    return {activate<T, Phi>,
            {{{nullptr, nullptr}, {panel<T, Phi, false, true, false>, panel<T, Phi, false, true, true>}},
             {{panel<T, Phi, true, false, false>, panel<T, Phi, true, false, true>},
              {panel<T, Phi, true, true, false>, panel<T, Phi, true, true, true>}}},
            Phi::homogeneous};
}

} // namespace etastar::engine::ETASTAR_ISA

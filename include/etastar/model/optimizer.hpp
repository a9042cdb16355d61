#pragma once

#include "etastar/model/list.hpp"
#include "etastar/names.hpp"

#include <cstdint>
#include <string_view>

namespace etastar::model {

// Learning rates over the base rate, by group of parameters.
struct Multipliers {
    double first = 1;   // W^1
    double hidden = 1;  // W^2 .. W^L
    double readout = 1; // v
    double bias = 1;    // of layers 1 .. L
};

// The first step of an optimizer is one struct (docs/science.md, "Optimizers"). The gradient of a matrix is of rank one,
// r u w^T with the error r = f - y, u = df / d(W w) and w the layer's input, and the step is
//
//     dW = -eta m  error  weight(||u||, ||w||)  d(u) d(w)^T
//
// with d(x) = x or, where `signs`, sgn(x) (sgn 0 = 0), and error = r or, where not `proportional`, sgn(r). A bias is the
// weight of an input that is always 1; the read-out's u is 1. To add one, write the struct and name it in Optimizers below.
//
//     maximal_update(n, n0)   the multipliers m with a limit of infinite width [science.md, "Optimizers"]
struct Sgd {
    static constexpr std::string_view name = "sgd";
    static constexpr bool signs = false;
    static constexpr bool proportional = true;

    static double weight(double /*u*/, double /*w*/) { return 1; }
    static Multipliers maximal_update(double n, double n0) { return {n / n0, 1, 1 / n, n}; }
};

// signSGD, and Adam's first step as its epsilon tends to 0.
struct Sign {
    static constexpr std::string_view name = "sign";
    static constexpr bool signs = true;
    static constexpr bool proportional = false;

    static double weight(double /*u*/, double /*w*/) { return 1; }
    static Multipliers maximal_update(double n, double n0) { return {1 / n0, 1 / n, 1 / n, 1}; }
};

// Muon's first step: a matrix of rank one made orthogonal is u w^T / (||u|| ||w||). No gradient, no step.
struct Normalized {
    static constexpr std::string_view name = "normalized";
    static constexpr bool signs = false;
    static constexpr bool proportional = false;

    static double weight(double u, double w) {
        const double length = u * w;
        return length > 0 ? 1 / length : 0;
    }
    static Multipliers maximal_update(double n, double n0);
};

using Optimizers = List<Sgd, Sign, Normalized>;

// Which optimizer: its place in Optimizers.
enum class Optimizer : std::uint8_t {};

template <class Struct>
inline constexpr Optimizer optimizer_of = place<Optimizer, Struct>(Optimizers{});

// visitor(Struct{}) of this optimizer's struct.
template <class Visitor>
decltype(auto) visit(Optimizer optimizer, Visitor&& visitor) {
    return visit(Optimizers{}, optimizer, std::forward<Visitor>(visitor));
}

// An optimizer's struct as numbers, for code that does not depend on which it is.
struct StepRule {
    bool signs = false;
    bool proportional = true;
    double (*weight)(double u, double w) = nullptr;

    // r or sgn r.
    double error(double r) const { return proportional ? r : static_cast<double>((r > 0) - (r < 0)); }
};

inline StepRule step_rule(Optimizer optimizer) {
    return visit(optimizer, []<class Each>(Each) {
        return StepRule{Each::signs, Each::proportional, Each::weight};
    });
}

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::Optimizer> {
    static constexpr std::string_view what = "optimizer";
    static constexpr auto table = model::list_names<model::Optimizer>(model::Optimizers{});
};

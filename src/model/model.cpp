#include "etastar/model/model.hpp"

#include <boost/multiprecision/cpp_bin_float.hpp>

#include <cmath>
#include <tuple>

namespace etastar::model {

Multipliers Normalized::maximal_update(double n, double n0) {
    return {std::sqrt(n / n0), 1, 1 / std::sqrt(n), std::sqrt(n)};
}

Block Residual::hidden(std::uint32_t depth, double branch_power) {
    return {1, inverse_power(depth, branch_power)};
}

double inverse_power(double x, double power) {
    if (power == 0) return 1;
    if (power == 0.5) return 1 / std::sqrt(x);
    if (power == 1) return 1 / x;
    // Microseconds, and asked for by every network of a cell.
    struct Known {
        double x = 1;
        double power = 1;
        double result = 1;
    };
    static thread_local Known last;
    if (last.x != x || last.power != power) {
        using Wide = boost::multiprecision::cpp_bin_float_50;
        const Wide result = pow(Wide(x), Wide(-power));
        last = {x, power, static_cast<double>(result)};
    }
    return last.result;
}

double Model::gain() const {
    return weight_variance.value_or(visit_activation(*this, [](auto phi) { return phi.weight_variance(); }));
}

bool operator==(const Model& a, const Model& b) {
    const auto rest = [](const Model& m) {
        return std::tie(m.activation, m.leak, m.architecture, m.branch_power, m.biases, m.optimizer, m.train,
                        m.parametrization, m.input_dim);
    };
    return rest(a) == rest(b) && a.gain() == b.gain();
}

bool is_bare_relu(const Model& model) {
    Model own = model;
    own.weight_variance.reset();
    return model.activation == activation_of<Relu> && model.architecture == architecture_of<Mlp>
           && model.optimizer == optimizer_of<Sgd> && !model.biases && model.gain() == own.gain();
}

LayerLaws layer_laws(const Model& model, std::uint32_t width, std::uint32_t depth) {
    const double n = width;
    const double n0 = model.input_dim;
    const double gain = model.gain();
    const Multipliers multipliers =
        model.parametrization == Parametrization::mup
            ? visit(model.optimizer, [&](auto optimizer) { return optimizer.maximal_update(n, n0); })
            : Multipliers{};
    const auto trained = [&](Train part, double rate) {
        return model.train == Train::all || model.train == part ? rate : 0.0;
    };
    const double bias = model.biases ? multipliers.bias : 0.0;
    const Block hidden = visit(model.architecture, [&](auto architecture) {
        return architecture.hidden(depth, model.branch_power);
    });
    return {
        .first = {gain, n0, std::sqrt(gain / n0), trained(Train::first, multipliers.first),
                  trained(Train::first, bias), Block{}},
        .hidden = {gain, n, std::sqrt(gain / n), trained(Train::hidden, multipliers.hidden),
                   trained(Train::hidden, bias), hidden},
        .readout = {1 / n, n, 1 / n, trained(Train::last, multipliers.readout), 0.0, Block{}},
    };
}

} // namespace etastar::model

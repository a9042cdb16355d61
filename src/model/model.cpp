#include "etastar/model/model.hpp"

#include <cmath>

namespace etastar::model {

LayerLaws layer_laws(const Model& model, std::uint32_t width) {
    const double n = width;
    const double n0 = model.input_dim;
    const double gain = visit(model.activation, [](auto activation) { return activation.weight_variance; });
    const bool mup = model.parametrization == Parametrization::mup;
    const auto rate = [&](Train part, double multiplier) {
        if (model.train != Train::all && model.train != part) return 0.0;
        return mup ? multiplier : 1.0;
    };
    return {
        .first = {gain, n0, std::sqrt(gain / n0), rate(Train::first, n / n0)},
        .hidden = {gain, n, std::sqrt(gain / n), rate(Train::hidden, 1.0)},
        .readout = {1 / n, n, 1 / n, rate(Train::last, 1.0 / n)},
    };
}

} // namespace etastar::model

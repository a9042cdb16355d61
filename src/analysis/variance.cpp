#include "etastar/analysis/variance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace etastar::analysis {

bool fluctuations_are_known(const model::Model& model) { return is_bare_relu(model); }

bool fluctuations_multiply(const model::Model& model) {
    const bool scales = model::visit_activation(model, [](auto phi) { return phi.homogeneous; });
    return scales && model.architecture == model::architecture_of<model::Mlp>;
}

double log_variance(theory::Layer layer, std::uint32_t width, std::uint32_t depth) {
    const double n = width;
    const double depths = depth;
    switch (layer) {
    case theory::Layer::last:
    case theory::Layer::max:
        break;
    case theory::Layer::mean:
        return (10.7 * (depths - 0.9) + 3.9 * std::exp(-1.2 * (depths - 1))) / n;
    case theory::Layer::output:
        return (14 * depths - 1) / n;
    }
    return (13.2 * (depths - 1.2) + 7.6 * std::exp(-0.75 * (depths - 1))) / n;
}

double theory_weight(theory::Layer layer, std::uint32_t width, std::uint32_t depth) {
    return 1 / std::expm1(std::min(log_variance(layer, width, depth), 500.0));
}

double cell_weight(const model::Model& model, theory::Layer layer, std::uint32_t width, std::uint32_t depth) {
    if (fluctuations_are_known(model)) return theory_weight(layer, width, depth);
    const auto block = model::layer_laws(model, width, depth).hidden.block;
    const double share = block.branch * block.branch / (1 + block.branch * block.branch);
    return width / (block.skip == 0 ? depth : 1 + depth * share);
}

std::string weights_text(const model::Model& model, theory::Layer layer) {
    if (!fluctuations_are_known(model))
        return model.architecture == model::architecture_of<model::Mlp>
                   ? "n/L"
                   : "n/(1 + L tau^2/(1 + tau^2)), tau the scale of branches";
    const char* variance = layer == theory::Layer::output ? "(14 L - 1)/n"
                           : layer == theory::Layer::mean ? "(10.7 (L - 0.9) + 3.9 e^(1.2 (1 - L)))/n"
                                                          : "(13.2 (L - 1.2) + 7.6 e^(0.75 (1 - L)))/n";
    return fmt::format("1/(e^V - 1), V = {}", variance);
}

double predicted_error(theory::Layer layer, std::uint32_t width, std::uint32_t depth, double networks) {
    const double v = log_variance(layer, width, depth);
    return std::sqrt((v + v * v / 2 + v * v * v / 6) / networks) / 2;
}

} // namespace etastar::analysis

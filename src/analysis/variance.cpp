#include "etastar/analysis/variance.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::analysis {

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

double predicted_error(theory::Layer layer, std::uint32_t width, std::uint32_t depth, double networks) {
    const double v = log_variance(layer, width, depth);
    return std::sqrt((v + v * v / 2 + v * v * v / 6) / networks) / 2;
}

} // namespace etastar::analysis

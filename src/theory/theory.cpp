#include "etastar/theory/theory.hpp"

#include "etastar/theory/moments.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::theory {

std::optional<double> Theory::change2(const model::Model& /*model*/, std::uint32_t /*width*/,
                                      std::uint32_t /*depth*/, Layer /*layer*/, double /*eta*/) const {
    return std::nullopt;
}

std::span<const Theory* const> theories() {
    static const ExactMoments exact_moments;
    static const InfiniteWidth infinite_width;
    static const Theory* const list[] = {&exact_moments, &infinite_width};
    return list;
}

const Theory* find(const model::Model& model, Regime regime) {
    const auto list = theories();
    const auto found = std::find_if(list.begin(), list.end(), [&](const Theory* theory) {
        return theory->regime() == regime && theory->covers(model);
    });
    return found == list.end() ? nullptr : *found;
}

double critical_rate(double response, double threshold) { return std::sqrt(threshold / response); }

} // namespace etastar::theory

#include "etastar/theory/theory.hpp"

#include "etastar/theory/moments.hpp"
#include "etastar/theory/residual.hpp"

#include <boost/math/tools/minima.hpp>
#include <boost/math/tools/toms748_solve.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace etastar::theory {

double Changes::of(Layer layer) const {
    switch (layer) {
    case Layer::last:
        return last;
    case Layer::max:
        return max;
    case Layer::mean:
        return mean;
    case Layer::output:
        break;
    }
    return output;
}

std::optional<Changes> Theory::changes(const model::Model& /*model*/, std::uint32_t /*width*/,
                                       std::uint32_t /*depth*/, double /*eta*/) const {
    return std::nullopt;
}

std::optional<double> Theory::change2(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                      Layer layer, double eta) const {
    const auto all = changes(model, width, depth, eta);
    return all ? std::optional(all->of(layer)) : std::nullopt;
}

std::span<const Theory* const> theories() {
    static const ExactMoments exact_moments;
    static const InfiniteWidth infinite_width;
    static const ResidualStream residual_stream;
    static const Theory* const list[] = {&exact_moments, &infinite_width, &residual_stream};
    return list;
}

const Theory* find(const model::Model& model, Regime regime) {
    const auto list = theories();
    const auto found = std::find_if(list.begin(), list.end(), [&](const Theory* theory) {
        return theory->regime() == regime && theory->covers(model);
    });
    return found == list.end() ? nullptr : *found;
}

double critical_rate(double response, double threshold) {
    const double square = threshold / response;
    // Where only the quotient leaves the range of double.
    if (!std::isnormal(square)) return std::sqrt(threshold) / std::sqrt(response);
    return std::sqrt(square);
}

std::optional<double> linear_rate(double response, double threshold) {
    if (!std::isfinite(response) || response <= 0) return std::nullopt;
    return critical_rate(response, threshold);
}

std::optional<double> critical_step_rate(const Theory& theory, const model::Model& model, std::uint32_t width,
                                         std::uint32_t depth, Layer layer, double threshold) {
    const auto response = theory.response(model, width, depth, layer);
    const auto linear = linear_rate(response.value_or(std::nan("")), threshold);
    if (!linear) return std::nullopt;
    const auto first = theory.changes(model, width, depth, *linear);
    if (!first) return std::nullopt;
    // Not more digits than there are.
    const int bits = first->error > 0 ? 16 : 48;

    // log(change2 / threshold) against log eta; numbers that a root search can work with where change2 is 0 or infinite.
    const auto excess = [&](double log_eta) {
        const double change2 = theory.change2(model, width, depth, layer, std::exp(log_eta)).value_or(0);
        return std::log(std::clamp(change2, std::numeric_limits<double>::min(),
                                   std::numeric_limits<double>::max()))
               - std::log(threshold);
    };
    struct Point {
        double x;
        double excess;
    };
    const auto at = [&](double x) { return Point{x, excess(x)}; };
    const auto root = [&](const Point& low, const Point& high) {
        if (high.excess == 0) return std::exp(high.x);
        std::uintmax_t evaluations = 200;
        const auto bracket = boost::math::tools::toms748_solve(
            excess, low.x, high.x, low.excess, high.excess,
            boost::math::tools::eps_tolerance<double>(static_cast<unsigned>(bits)), evaluations);
        return std::exp((bracket.first + bracket.second) / 2);
    };

    const double step = std::log(2.0) / 2;
    const double lowest = std::log(std::numeric_limits<double>::min());
    const double highest = std::log(std::numeric_limits<double>::max());
    auto here = at(std::log(*linear) - 6 * step);
    while (here.excess >= 0) {
        if (here.x < lowest) return std::nullopt;
        here = at(here.x - 4 * step);
    }
    // No rate reaches the threshold where the step stops growing: by less than `flat` over 2^5 in the rate, down or up.
    constexpr double flat = 0.005;
    std::vector<double> seen;
    for (auto before = here; here.x + step < highest;) {
        const auto next = at(here.x + step);
        if (next.excess >= 0) return root(here, next);
        seen.push_back(next.excess);
        const std::size_t back = seen.size() > 10 ? seen.size() - 11 : seen.size() - 1;
        if (seen.size() > 10 && std::abs(seen[back] - next.excess) < flat) return std::nullopt;
        if (before.excess < here.excess && next.excess < here.excess) {
            const auto [x, depth_below] = boost::math::tools::brent_find_minima(
                [&](double log_eta) { return -excess(log_eta); }, before.x, next.x, bits);
            if (-depth_below >= 0) return root(before, {x, -depth_below});
        }
        before = here;
        here = next;
    }
    return std::nullopt;
}

double step_rate_error(const Theory& theory, const model::Model& model, std::uint32_t width,
                       std::uint32_t depth, Layer layer, double rate) {
    const auto here = theory.changes(model, width, depth, rate);
    if (!here || !(here->error > 0)) return 0;
    constexpr double apart = 1.05;
    const auto beyond = theory.changes(model, width, depth, apart * rate);
    const double slope = std::log(beyond->of(layer) / here->of(layer)) / std::log(apart);
    return here->error / std::max(slope, std::numeric_limits<double>::min());
}

std::optional<double> rate(const Theory& theory, Criterion criterion, const model::Model& model,
                           std::uint32_t width, std::uint32_t depth, Layer layer, double threshold) {
    if (criterion == Criterion::finite)
        return critical_step_rate(theory, model, width, depth, layer, threshold);
    const auto response = theory.response(model, width, depth, layer);
    return linear_rate(response.value_or(std::nan("")), threshold);
}

double rate_error(const Theory& theory, Criterion criterion, const model::Model& model, std::uint32_t width,
                  std::uint32_t depth, Layer layer, double rate) {
    if (criterion == Criterion::finite) return step_rate_error(theory, model, width, depth, layer, rate);
    return theory.response_error(model, width, depth) / 2;
}

std::optional<double> bound(const Theory& theory, const model::Model& model, std::uint32_t width,
                            std::uint32_t depth, Layer layer, double threshold, bool relative) {
    if (!relative) return threshold;
    const auto size = theory.size(model, width, depth, layer);
    return size ? std::optional(threshold * *size) : std::nullopt;
}

} // namespace etastar::theory

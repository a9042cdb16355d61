#include "etastar/engine/change.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::engine {
namespace {

// Largest kink: finite in single precision, so that a neuron at exactly 0 gives 0 and not NaN, yet far beyond
// any d.
constexpr double max_kink = 1e38;

// The power of two next below x, 1 where x has none.
double power_of_two(double x) {
    if (!(x > 0) || !std::isfinite(x)) return 1;
    return std::ldexp(1.0, std::clamp(std::ilogb(x), -1000, 1000));
}

} // namespace

ChangeColumns::ChangeColumns(std::span<const double> gains, std::size_t width)
    : columns_(gains.size() + 1), width_(static_cast<double>(width)) {
    columns_[0].gain = 1;
    for (std::size_t k = 0; k < gains.size(); ++k) {
        columns_[k + 1].gain = gains[k];
        columns_[k + 1].feedback = 1;
    }
}

void ChangeColumns::begin_layer(double multiplier, double q, double delta2) {
    if (multiplier != 0) silent_ = false;
    for (auto& c : columns_) {
        const double source = c.gain * multiplier * (q + c.feedback * c.scale * c.sums.overlap);
        // Expected size of dz: any scale within the range of single precision would do.
        const double carried = 2 * (c.scale / width_) * c.scale * c.sums.active2;
        const double injected = source * std::sqrt(delta2 / width_);
        const double scale = power_of_two(std::hypot(std::sqrt(carried), injected));
        // Where nothing is carried, the ratio of two unrelated scales could overflow: 0 times infinity.
        c.carry = c.sums.active2 == 0 ? 0 : c.scale / scale;
        c.inject = source / scale;
        c.kink = c.feedback == 0 ? max_kink : std::min(1 / scale, max_kink);
        c.scale = scale;
        c.sums = {};
    }
}

void ChangeColumns::end_layer() {
    ++layers_;
    for (auto& c : columns_) {
        c.last = c.scale * c.sums.change2 / width_ * c.scale;
        c.max = std::isnan(c.last) ? c.last : std::max(c.max, c.last);
        c.total += c.last;
    }
}

double ChangeColumns::active2(std::size_t k) const {
    const auto& c = columns_[k];
    return c.scale * c.sums.active2 * c.scale;
}

double ChangeColumns::overlap(std::size_t k) const { return columns_[k].scale * columns_[k].sums.overlap; }

double ChangeColumns::projection(std::size_t k) const {
    return columns_[k].scale * columns_[k].sums.projection;
}

double ChangeColumns::mean(std::size_t k) const { return columns_[k].total / static_cast<double>(layers_); }

} // namespace etastar::engine

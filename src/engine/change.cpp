#include "change.hpp"

#include "power_of_two.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::engine {

ChangeColumns::ChangeColumns(const model::StepRule& rule, std::span<const double> gains, std::size_t width)
    : rule_(rule), columns_(gains.size() + 1), width_(static_cast<double>(width)) {
    columns_[0].gain = 1;
    for (std::size_t k = 0; k < gains.size(); ++k) {
        columns_[k + 1].gain = gains[k];
        columns_[k + 1].feedback = 1;
    }
}

void ChangeColumns::begin_layer(const model::LayerLaw& law, const StepLengths& lengths) {
    if (law.moves()) silent_ = false;
    const double tau = law.block.branch;
    const double u = tau * std::sqrt(lengths.p2);
    const double weights = law.rate * rule_.weight(u, std::sqrt(lengths.h2));
    const double bias = law.bias_rate * rule_.weight(u, 1);
    const double length = rule_.signs ? lengths.h1 : lengths.h2; // d(w) . w
    const double branches = rule_.signs ? tau : tau * tau;       // tau d(u) over D
    const double direction2 = rule_.signs ? width_ : lengths.p2; // ||D||^2, about
    for (auto& c : columns_) {
        const double source = c.gain * branches * (weights * (length + c.feedback * along(c)) + bias);
        // Expected size of dz: any scale within the range of single precision would do.
        const double carried = tau * tau * law.gain * (c.scale / law.fan_in) * c.scale * c.sums.active2;
        const double kept = law.block.skip * c.scale * c.sums.change2 / width_ * c.scale;
        const double injected = source * source * (direction2 / width_);
        const double scale = root_power_of_two(carried + kept + injected);
        // Where nothing is carried, the ratio of two unrelated scales could overflow: 0 times infinity.
        const double ratio = c.sums.change2 == 0 ? 0 : c.scale / scale;
        c.skip = law.block.skip * ratio;
        c.carry = tau * ratio;
        c.inject = source / scale;
        c.scale = scale;
        c.sums = {};
    }
}

void ChangeColumns::end_layer() {
    for (auto& c : columns_) {
        c.last = c.scale * c.sums.change2 / width_ * c.scale;
        c.max = std::isnan(c.last) ? c.last : std::max(c.max, c.last);
        c.total += c.last;
    }
    responses_.push_back(columns_[0].last);
}

std::vector<StepOutcome> ChangeColumns::outcomes(double output, const model::LayerLaw& law,
                                                 const StepLengths& lengths) const {
    const double multiplier = law.rate * rule_.weight(1, std::sqrt(lengths.h2));
    const double length = rule_.signs ? lengths.h1 : lengths.h2;
    std::vector<StepOutcome> steps;
    steps.reserve(columns_.size() - 1);
    for (std::size_t k = 1; k < columns_.size(); ++k) {
        const auto& c = columns_[k];
        // df = v . dh + dv . (h + dh) with dv = g m weight d(h).
        const double hidden = c.scale * c.sums.projection;
        const double readout = c.gain * multiplier * (length + along(c));
        steps.push_back({.output_after = output + hidden + readout,
                         .dz2_last = c.last,
                         .dz2_max = c.max,
                         .dz2_mean = mean(k)});
    }
    return steps;
}

} // namespace etastar::engine

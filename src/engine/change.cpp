#include "etastar/engine/change.hpp"

#include "power_of_two.hpp"

#include <algorithm>
#include <cmath>

namespace etastar::engine {

ChangeColumns::ChangeColumns(std::span<const double> gains, std::size_t width)
    : columns_(gains.size() + 1), width_(static_cast<double>(width)) {
    columns_[0].gain = 1;
    for (std::size_t k = 0; k < gains.size(); ++k) {
        columns_[k + 1].gain = gains[k];
        columns_[k + 1].feedback = 1;
    }
}

void ChangeColumns::begin_layer(const model::LayerLaw& law, double q, double delta2) {
    if (law.rate != 0) silent_ = false;
    for (auto& c : columns_) {
        const double source = c.gain * law.rate * (q + c.feedback * c.scale * c.sums.overlap);
        // Expected size of dz: any scale within the range of single precision would do.
        const double carried = law.gain * (c.scale / law.fan_in) * c.scale * c.sums.active2;
        const double injected = source * source * (delta2 / width_);
        const double scale = root_power_of_two(carried + injected);
        // Where nothing is carried, the ratio of two unrelated scales could overflow: 0 times infinity.
        c.carry = c.sums.active2 == 0 ? 0 : c.scale / scale;
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

std::vector<StepOutcome> ChangeColumns::outcomes(double output, double multiplier, double q) const {
    std::vector<StepOutcome> steps;
    steps.reserve(columns_.size() - 1);
    for (std::size_t k = 1; k < columns_.size(); ++k) {
        const auto& c = columns_[k];
        // df = v . dh + dv . (h + dh) with dv = g m h.
        const double hidden = c.scale * c.sums.projection;
        const double readout = c.gain * multiplier * (q + c.scale * c.sums.overlap);
        steps.push_back({.output_after = output + hidden + readout,
                         .dz2_last = c.last,
                         .dz2_max = c.max,
                         .dz2_mean = mean(k)});
    }
    return steps;
}

} // namespace etastar::engine

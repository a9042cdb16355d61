#include "misalignment.hpp"

#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace etastar::analysis {
namespace {

constexpr double theory_exponent = -1.5; // of the depth, to first order in eta

// Cells with an estimate: log eta*, and how far resamples are from it, without their mean.
struct Sample {
    std::vector<const CellFit*> cells;
    std::vector<double> values;
    std::vector<std::vector<double>> errors; // one per cell, all as long
};

// Those inside the grid, as many as there are resamples, over again where some are outside.
std::vector<double> errors_of(const CellFit& cell) {
    std::vector<double> inside;
    double mean = 0;
    for (const double value : cell.resampled)
        if (std::isfinite(value)) {
            inside.push_back(value);
            mean += value;
        }
    mean /= static_cast<double>(inside.size());
    std::vector<double> errors;
    for (std::size_t b = 0; b < cell.resampled.size(); ++b)
        errors.push_back(inside[b % inside.size()] - mean);
    return errors;
}

Sample sample_of(std::span<const CellFit> cells) {
    Sample sample;
    for (const auto& cell : cells)
        if (cell.log_rate && !cell.resampled.empty()) {
            sample.cells.push_back(&cell);
            sample.values.push_back(cell.log_rate->value);
            sample.errors.push_back(errors_of(cell));
        }
    return sample;
}

// How the fitted exponent of the depth depends on each cell's value.
std::vector<double> slope_in_depth(const Sample& sample) {
    const std::vector<double> ones(sample.cells.size(), 1);
    std::vector<double> weights;
    std::vector<double> log_width;
    std::vector<double> log_depth;
    std::map<std::uint32_t, int> widths;
    for (const auto* cell : sample.cells) {
        log_width.push_back(std::log(cell->width));
        log_depth.push_back(std::log(cell->depth));
        weights.push_back(training_weight(cell->width, cell->depth));
        ++widths[cell->width];
    }
    std::vector<std::vector<double>> predictors{ones};
    if (widths.size() > 1) predictors.push_back(log_width);
    predictors.push_back(log_depth);
    std::vector<double> dependence;
    for (std::size_t i = 0; i < sample.cells.size(); ++i) {
        std::vector<Measurement> unit(sample.cells.size(), {0, 1, 1});
        unit[i].value = 1;
        const auto regression = weighted_regression(unit, predictors, weights);
        if (!regression.determined) return {};
        dependence.push_back(regression.coefficients.back().value);
    }
    return dependence;
}

// Cells that are to agree, each part with itself.
using Parts = std::vector<std::vector<std::size_t>>; // of a Sample

// What is left of values of the sample's cells, over all parts, after subtraction of exponent log L and the part's mean.
class Residuals {
public:
    // dependence: of the fitted exponent on the values, which is taken instead where there is one.
    Residuals(const Sample& sample, Parts parts, double exponent, std::vector<double> dependence)
        : sample_(sample), parts_(std::move(parts)), exponent_(exponent), dependence_(std::move(dependence)) {
        for (const auto& part : parts_) degrees_ += static_cast<double>(part.size() - 1);
    }

    // Root of the mean square, in the sense of a standard deviation.
    double size(const std::vector<double>& residuals) const {
        double squares = 0;
        for (const double residual : residuals) squares += residual * residual;
        return std::sqrt(squares / degrees_);
    }

    std::vector<double> of_values() const {
        return of([&](std::size_t i) { return sample_.values[i]; }, exponent_);
    }
    std::vector<double> of_errors(std::size_t resample) const {
        return of([&](std::size_t i) { return sample_.errors[i][resample]; }, 0);
    }
    std::size_t resamples() const { return sample_.errors.front().size(); }

private:
    template <class Values>
    std::vector<double> of(Values&& values, double exponent) const {
        for (std::size_t i = 0; i < dependence_.size(); ++i) exponent += dependence_[i] * values(i);
        std::vector<double> result;
        for (const auto& part : parts_) {
            const auto first = static_cast<std::ptrdiff_t>(result.size());
            double mean = 0;
            for (const auto i : part) {
                result.push_back(values(i) - exponent * std::log(sample_.cells[i]->depth));
                mean += result.back() / static_cast<double>(part.size());
            }
            for (auto at = result.begin() + first; at != result.end(); ++at) *at -= mean;
        }
        return result;
    }

    const Sample& sample_;
    Parts parts_;
    double exponent_;
    std::vector<double> dependence_;
    double degrees_ = 0;
};

// Where a function that is true at 0 and false far away stops being true.
template <class Holds>
double last_true(double far, Holds&& holds) {
    double low = 0;
    double high = far;
    for (int i = 0; i < 20 && holds(high); ++i) high *= 2;
    for (int i = 0; i < 40; ++i) {
        const double middle = (low + high) / 2;
        (holds(middle) ? low : high) = middle;
    }
    return low;
}

// The true spread lies where neither more nor less than the observed one would be surprising: tests of 2.5 % on either side
// with the resamples' errors added to a spread of the observed shape. An observation below what noise alone gives half of
// the time is taken as that: it must not bound the spread by more than the noise lets be seen.
void measure(const Residuals& residuals, Spread& spread) {
    const auto values = residuals.of_values();
    const auto count = residuals.resamples();
    std::vector<std::vector<double>> errors;
    std::vector<double> sizes;
    double squares = 0;
    for (std::size_t b = 0; b < count; ++b) {
        errors.push_back(residuals.of_errors(b));
        sizes.push_back(residuals.size(errors.back()));
        squares += sizes.back() * sizes.back() / static_cast<double>(count);
    }
    spread.observed = residuals.size(values);
    spread.noise = std::sqrt(squares);
    spread.value = std::sqrt(std::max(0.0, spread.observed * spread.observed - squares));

    auto shape = spread.observed > 0 ? values : errors.front();
    const double unit = residuals.size(shape);
    for (double& x : shape) x = unit > 0 ? x / unit : 0;
    // The fraction of resamples whose spread is at least, or at most, a size if the true one is `truth`.
    const auto fraction = [&](double truth, double size, bool at_least) {
        std::size_t hits = 0;
        std::vector<double> sum(shape.size());
        for (const auto& error : errors) {
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = truth * shape[i] + error[i];
            const double drawn = residuals.size(sum);
            hits += at_least ? drawn >= size : drawn <= size;
        }
        return static_cast<double>(hits) / static_cast<double>(count);
    };
    constexpr double tail = (1 - confidence) / 2;
    const double far = 2 * (spread.observed + spread.noise);
    spread.p_value = (1 + fraction(0, spread.observed, true) * static_cast<double>(count))
                     / (1 + static_cast<double>(count));
    spread.ci95.low =
        last_true(far, [&](double truth) { return fraction(truth, spread.observed, true) < tail; });
    std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count / 2), sizes.end());
    const double seen = std::max(spread.observed, sizes[count / 2]);
    spread.ci95.high = last_true(far, [&](double truth) { return fraction(truth, seen, false) >= tail; });
    spread.ci95.low = std::min(spread.ci95.low, spread.value);
    spread.ci95.high = std::max(spread.ci95.high, spread.value);
}

// One entry per part with two cells or more, after one of all parts where there are several.
void add_spreads(const Sample& sample, bool over_widths, double exponent,
                 const std::vector<double>& dependence, bool fitted, std::vector<Spread>& spreads) {
    std::map<std::uint32_t, std::vector<std::size_t>> by_other;
    for (std::size_t i = 0; i < sample.cells.size(); ++i)
        by_other[over_widths ? sample.cells[i]->depth : sample.cells[i]->width].push_back(i);
    std::erase_if(by_other, [](const auto& part) { return part.second.size() < 2; });
    const auto add = [&](std::optional<std::uint32_t> at, Parts parts) {
        Spread spread;
        spread.over_widths = over_widths;
        spread.at = at;
        for (const auto& part : parts)
            for (const auto i : part)
                spread.among.push_back(over_widths ? sample.cells[i]->width : sample.cells[i]->depth);
        std::sort(spread.among.begin(), spread.among.end());
        spread.among.erase(std::unique(spread.among.begin(), spread.among.end()), spread.among.end());
        spread.exponent = exponent;
        spread.fitted = fitted;
        measure(Residuals(sample, std::move(parts), fitted ? 0 : exponent, dependence), spread);
        spreads.push_back(std::move(spread));
    };
    if (by_other.size() > 1) {
        Parts all;
        for (const auto& [other, part] : by_other) all.push_back(part);
        add(std::nullopt, std::move(all));
    }
    for (const auto& [other, part] : by_other) add(other, {part});
}

} // namespace

std::vector<Spread> misalignment(std::span<const CellFit> cells, const PowerLaw& law) {
    std::vector<Spread> spreads;
    const auto sample = sample_of(cells);
    if (sample.cells.size() < 2) return spreads;
    add_spreads(sample, true, 0, {}, false, spreads);
    add_spreads(sample, false, theory_exponent, {}, false, spreads);
    if (law.depth) add_spreads(sample, false, law.depth->value, slope_in_depth(sample), true, spreads);
    return spreads;
}

} // namespace etastar::analysis

#include "etastar/analysis/allocation.hpp"

#include "etastar/analysis/prediction.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/error.hpp"
#include "etastar/trial/kind.hpp"

#include "estimators.hpp"
#include "law.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace etastar::analysis {
namespace {

constexpr auto target_layer = theory::Layer::last; // what targets look at

const Estimator& criterion_of(const sweep::Spec& spec) {
    const auto name = spec.target_criterion();
    std::string choices;
    for (const auto* entry : estimators()) {
        if (entry->of_training() != spec.trains()) continue;
        if (entry->name() == name) return *entry;
        choices += fmt::format("{}{}", choices.empty() ? "" : ", ", entry->name());
    }
    throw UsageError(fmt::format("target-criterion: {} is not one of {}, the criteria of --trial {}",
                                 in_quotes(std::string(name)), choices, spec.trial));
}

// Networks of cells as real numbers: each as many as `multiple` times its share, but not fewer than there are and not more
// than there may be.
class Filling {
public:
    Filling(std::vector<double> variances, std::vector<double> costs, std::vector<double> present,
            double most)
        : variances_(std::move(variances)),
          costs_(std::move(costs)),
          present_(std::move(present)),
          most_(most) {
        for (std::size_t i = 0; i < variances_.size(); ++i) {
            shares_.push_back(std::sqrt(variances_[i] / costs_[i]));
            if (!(shares_[i] > 0)) continue;
            // Beyond it nothing changes.
            largest_ = std::max(largest_, most_ / shares_[i]);
            if (present_[i] < most_) smallest_ = std::min(smallest_, present_[i] / shares_[i]);
        }
    }

    // That some cell can have more.
    bool can_grow() const { return std::isfinite(smallest_); }
    double largest() const { return largest_; }

    double of(std::size_t cell, double multiple) const {
        return std::max(present_[cell], std::min(multiple * shares_[cell], most_));
    }

    // Of the exponent.
    double variance(double multiple) const {
        double sum = 0;
        for (std::size_t i = 0; i < shares_.size(); ++i) sum += variances_[i] / of(i, multiple);
        return sum;
    }

    double work(double multiple) const {
        double sum = 0;
        for (std::size_t i = 0; i < shares_.size(); ++i) sum += costs_[i] * of(i, multiple);
        return sum;
    }

    // The smallest multiple with which `enough`, false below some multiple and true above it, is true; the largest one where
    // it is never. Halving in logarithms, as far as doubles go.
    template <class Enough>
    double least(Enough&& enough) const {
        double low = smallest_;
        double high = largest_;
        if (enough(low)) return low;
        if (!enough(high)) return high;
        for (int i = 0; i < 200 && low < high; ++i) {
            const double middle = std::sqrt(low * high);
            if (!(low < middle && middle < high)) break;
            (enough(middle) ? high : low) = middle;
        }
        return high;
    }

private:
    std::vector<double> variances_; // what one network of each cell would leave of the exponent's
    std::vector<double> costs_;
    std::vector<double> present_;
    double most_;
    std::vector<double> shares_;
    double smallest_ = std::numeric_limits<double>::infinity();
    double largest_ = 0;
};

// Of log eta*, by one network, as the errors of the networks there are tell; nothing where a cell has no error yet.
std::optional<double> variance_of_one(const CellFit& cell) {
    const double error = cell.log_rate ? cell.log_rate->standard_error : cell.relative_error;
    if (!cell.eta_star || !std::isfinite(error)) return std::nullopt;
    return error * error * static_cast<double>(cell.networks);
}

// Of two digits, upwards.
std::uint64_t rounded_up(double value) {
    const double unit = std::pow(10, std::max(std::floor(std::log10(value)) - 1, 0.0));
    constexpr double largest = 1e18;
    return static_cast<std::uint64_t>(std::min(std::ceil(value / unit) * unit, largest));
}

} // namespace

std::uint64_t total(std::span<const std::uint64_t> networks) {
    return std::accumulate(networks.begin(), networks.end(), std::uint64_t{0});
}

void check_target(const sweep::Spec& spec) { criterion_of(spec); }

Allocation::Allocation(const plan::Plan& plan, RoundRules rules) : spec_(plan.spec()), rules_(rules) {
    const auto& criterion = criterion_of(spec_);
    options_.criteria = {&criterion};
    options_.layer = target_layer;
    const auto& kind = trial::find_kind(spec_.trial);
    for (const auto& cell : plan.cells()) {
        weights_.push_back(regression_weight(criterion, spec_.model, target_layer, cell.width, cell.depth));
        // Whatever the memory that this run may use: that is not in the spec.
        costs_.push_back(kind.cost(spec_, cell, engine::default_weight_budget).seconds);
    }
}

std::vector<std::uint64_t> Allocation::first_round() const {
    std::vector<std::uint64_t> networks(weights_.size(), std::min(spec_.seeds, rules_.first));
    return networks;
}

CellFit Allocation::estimate(const Cell& cell) const {
    auto fit = options_.criteria.front()->estimate(cell, options_, spec_.target.threshold);
    fit.width = cell.width;
    fit.depth = cell.depth;
    return fit;
}

// By h^2 = f^2 + g^2 for the half-width h now, with f the part that the grid leaves open, and h'^2 = f^2 + r g^2 for that of a
// former round, whose networks would have had r times the variance by chance alone. Errors of the first round's few networks
// are too uncertain for it.
bool Allocation::limited_by_grid(double half_width, std::span<const double> variances,
                                 std::span<const std::uint64_t> networks,
                                 std::span<const Round> former) const {
    constexpr double least_ratio = 4;
    constexpr double stalled = 0.75; // of the former half-width; by chance alone 4^(-1/2)
    if (!spec_.trains()) return false;
    const auto fewest = 2 * total(first_round());
    for (const auto& round : former) {
        if (total(round.networks) < fewest) continue;
        double then = 0;
        double now = 0;
        for (std::size_t i = 0; i < variances.size(); ++i) {
            then += variances[i] / static_cast<double>(round.networks[i]);
            now += variances[i] / static_cast<double>(networks[i]);
        }
        const double ratio = then / now;
        if (!(ratio >= least_ratio) || half_width < stalled * round.half_width) continue;
        const double shrinks =
            std::max(std::pow(round.half_width, 2) - std::pow(half_width, 2), 0.0) / (ratio - 1);
        if (std::pow(half_width, 2) - shrinks > std::pow(spec_.target.ci, 2)) return true;
    }
    return false;
}

Decision Allocation::next(std::span<const CellFit> fits, std::span<const std::uint64_t> networks,
                          std::span<const Round> former) const {
    Decision decision;
    decision.networks.assign(networks.begin(), networks.end());
    const auto law = fit_law(fits, Quantity::measured, weights_);
    if (law.depth && std::isfinite(law.depth->standard_error))
        decision.half_width = (law.depth->ci95.high - law.depth->ci95.low) / 2;
    if (decision.half_width && *decision.half_width <= spec_.target.ci) {
        decision.verdict = Verdict::reached;
        return decision;
    }

    // A cell that has a rate but no error yet will have one, as large as any other's.
    std::vector<CellFit> with_errors(fits.begin(), fits.end());
    double largest = 0;
    for (const auto& fit : fits) largest = std::max(largest, variance_of_one(fit).value_or(0));
    for (auto& fit : with_errors)
        if (fit.eta_star && !variance_of_one(fit)) fit.relative_error = 1;
    const auto dependence = depth_dependence(with_errors, weights_);
    if (!dependence) {
        decision.verdict = Verdict::no_exponent;
        return decision;
    }
    std::vector<double> variances;
    for (std::size_t i = 0; i < fits.size(); ++i)
        variances.push_back(std::pow((*dependence)[i], 2)
                            * variance_of_one(fits[i]).value_or(largest > 0 ? largest : 1));
    if (decision.half_width && limited_by_grid(*decision.half_width, variances, networks, former)) {
        decision.verdict = Verdict::grid_limits;
        return decision;
    }

    const auto seeds = static_cast<double>(spec_.seeds);
    const Filling filling(std::move(variances), costs_, {networks.begin(), networks.end()}, seeds);
    if (!filling.can_grow()) {
        decision.verdict = Verdict::seeds_ended;
        if (decision.half_width)
            decision.seeds_needed = rounded_up(seeds * std::pow(*decision.half_width / spec_.target.ci, 2));
        return decision;
    }
    constexpr double gaussian = 1.959964; // half of a 95 % interval in standard errors
    const double errors = decision.half_width && law.depth->standard_error > 0
                              ? *decision.half_width / law.depth->standard_error
                              : gaussian;
    const double tolerated = std::pow(spec_.target.ci / errors, 2);
    const double needed =
        filling.least([&](double multiple) { return filling.variance(multiple) <= tolerated; });
    const double before = filling.work(0);
    const auto growth = [&](double part) {
        return filling.least([&](double multiple) { return filling.work(multiple) >= (1 + part) * before; });
    };
    const double multiple = std::clamp(needed, growth(rules_.least), growth(rules_.most));
    const auto whole = [&](double by) {
        std::vector<std::uint64_t> counts;
        for (std::size_t i = 0; i < networks.size(); ++i)
            counts.push_back(static_cast<std::uint64_t>(std::ceil(filling.of(i, by))));
        return counts;
    };
    decision.networks = whole(multiple);
    if (filling.variance(filling.largest()) <= tolerated)
        decision.expected = whole(std::max(needed, multiple));
    else if (decision.half_width)
        decision.seeds_needed = rounded_up(seeds * filling.variance(filling.largest()) / tolerated);
    return decision;
}

std::optional<Forecast> forecast(const plan::Plan& plan) {
    const auto& spec = plan.spec();
    if (spec.target_criterion() != linear_estimator().name()) return std::nullopt;
    const Allocation allocation(plan);
    Forecast result;
    result.networks = allocation.first_round();
    auto cells = predicted_cells(plan, result.networks);
    if (!cells) return std::nullopt;
    while (true) {
        ++result.rounds;
        const auto decision = allocation.next(*cells, result.networks);
        result.verdict = decision.verdict;
        result.half_width = decision.half_width;
        result.seeds_needed = decision.seeds_needed;
        if (decision.verdict != Verdict::go_on) return result;
        for (std::size_t i = 0; i < cells->size(); ++i) {
            auto& cell = (*cells)[i];
            cell.networks = decision.networks[i];
            cell.relative_error *= std::sqrt(static_cast<double>(result.networks[i])
                                             / static_cast<double>(decision.networks[i]));
        }
        result.networks = decision.networks;
    }
}

} // namespace etastar::analysis

#include "estimators.hpp"

#include "etastar/error.hpp"

#include <array>
#include <cmath>

namespace etastar::analysis {

std::span<const Estimator* const> estimators() {
    static const std::array list{&linear_estimator(), &finite_estimator()};
    return list;
}

const Estimator& estimator(std::string_view name) {
    std::string choices;
    for (const auto* entry : estimators()) {
        if (entry->name() == name) return *entry;
        choices += (choices.empty() ? "" : ", ") + std::string(entry->name());
    }
    throw UsageError("criterion: '" + std::string(name) + "' is not one of " + choices);
}

std::optional<double> Estimator::exact(const TrialTable&, std::uint32_t, std::uint32_t, theory::Layer,
                                       double) const {
    return std::nullopt;
}

std::optional<Asymptote> Estimator::asymptote(const TrialTable&, theory::Layer, double) const {
    return std::nullopt;
}

std::optional<CellCurve> Estimator::curve(const Cell&, const FitOptions&) const { return std::nullopt; }

Interval exponential(const Interval& logs) {
    const auto end = [](double x) { return std::isfinite(x) ? std::exp(x) : std::nan(""); };
    return {end(logs.low), end(logs.high)};
}

std::string absence(const Cell& cell) {
    for (std::uint64_t i = 0; i < cell.networks; ++i)
        for (std::size_t k = 0; k < cell.rates; ++k)
            if (cell.failed(cell.row(i, k))) return "its networks failed";
    return "no network has run";
}

} // namespace etastar::analysis

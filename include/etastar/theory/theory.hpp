#pragma once

#include "etastar/model/model.hpp"
#include "etastar/names.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace etastar::theory {

// Which number of a network the criterion bounds.
enum class Layer {
    last,   // G_L
    max,    // the largest G_l of each network: closes at infinite width alone
    mean,   // (1/L) sum_l G_l
    output, // Theta^2, the output's own response
};

// What one step changes, by the layer that a criterion looks at: E (dz^L)^2, the largest and the mean of E (dz^l)^2 over l,
// and E (df)^2. Infinite where they leave the range of double.
struct Changes {
    double last = 0;
    double max = 0;
    double mean = 0;
    double output = 0;
    double error = 0; // relative standard error of `last`, where they are integrated over samples

    double of(Layer layer) const;
};

// How much is too much: the change to first order in eta, or that of the whole step.
enum class Criterion { linear, finite };

// At which widths a theory holds.
enum class Regime { finite_width, infinite_width };

// One way to calculate what a sweep measures, for the models that it covers. To add one, derive it in
// docs/science.md, write a class here and name it in theories().
class Theory {
public:
    virtual ~Theory() = default;

    virtual std::string_view name() const = 0;
    virtual Regime regime() const = 0;
    virtual bool covers(const model::Model& model) const = 0;

    // Its answers for such networks of this depth are more than rounding, and a matter of seconds; there are none beyond.
    virtual bool reaches(const model::Model& /*model*/, std::uint32_t /*depth*/) const { return true; }

    // Linear order: E of the squared response to a unit error, so that E (change)^2 -> eta^2 times it. Infinite where
    // it leaves the range of double. Absent where it does not close.
    virtual std::optional<double> response(const model::Model& model, std::uint32_t width,
                                           std::uint32_t depth, Layer layer) const = 0;

    // Relative standard error of the response of Layer::last; 0 but where it is integrated over samples.
    virtual double response_error(const model::Model& /*model*/, std::uint32_t /*width*/,
                                  std::uint32_t /*depth*/) const {
        return 0;
    }

    // E z_i^2 of a layer before the step, that by which changes are relative: of l = L, the largest and the mean over l.
    // Absent for Layer::output, and where it does not close.
    virtual std::optional<double> size(const model::Model& /*model*/, std::uint32_t /*width*/,
                                       std::uint32_t /*depth*/, Layer /*layer*/) const {
        return std::nullopt;
    }

    // By a whole step of base rate eta to unit error, -r = 1. Absent where it does not close.
    virtual std::optional<Changes> changes(const model::Model& model, std::uint32_t width,
                                           std::uint32_t depth, double eta) const;
    std::optional<double> change2(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                  Layer layer, double eta) const;
};

// All of them, in the order of preference.
std::span<const Theory* const> theories();

// The first that covers the model in this regime; null where none does.
const Theory* find(const model::Model& model, Regime regime);

// eta*_lin = (threshold / response)^(1/2): infinite for a response of 0, NaN for NaN.
double critical_rate(double response, double threshold = 1.0);

// The same where it is a rate: absent for a response of 0, infinity or NaN.
std::optional<double> linear_rate(double response, double threshold = 1.0);

// eta*_fin: the smallest rate at which change2 reaches the threshold, to 12 digits, or to 5 where changes have an error of
// their own. Absent where the theory has no changes or no response to begin at, or where no rate reaches the threshold: where
// change2 grows by less than half a per cent while the rate grows 32-fold. Some thirty calls of change2; a curve that falls
// and rises again is followed in steps of 2^(1/2), each summit between them found.
std::optional<double> critical_step_rate(const Theory& theory, const model::Model& model, std::uint32_t width,
                                         std::uint32_t depth, Layer layer, double threshold = 1.0);

// The relative standard error of that rate, by the error of the changes and the slope of change2 there; 0 where the changes
// have none.
double step_rate_error(const Theory& theory, const model::Model& model, std::uint32_t width,
                       std::uint32_t depth, Layer layer, double rate);

// By either criterion, eta* at this threshold; absent where the theory has none.
std::optional<double> rate(const Theory& theory, Criterion criterion, const model::Model& model,
                           std::uint32_t width, std::uint32_t depth, Layer layer, double threshold);

// Its relative standard error; 0 where theory is not integrated over samples.
double rate_error(const Theory& theory, Criterion criterion, const model::Model& model, std::uint32_t width,
                  std::uint32_t depth, Layer layer, double rate);

// The bound on E (change)^2: the threshold or, where that is relative, so many times E z^2. Absent where the theory does
// not know E z^2.
std::optional<double> bound(const Theory& theory, const model::Model& model, std::uint32_t width,
                            std::uint32_t depth, Layer layer, double threshold, bool relative);

} // namespace etastar::theory

template <>
struct etastar::Names<etastar::theory::Layer> {
    static constexpr std::string_view what = "layer";
    static constexpr NameTable<theory::Layer, 4> table{{{"last", theory::Layer::last},
                                                        {"max", theory::Layer::max},
                                                        {"mean", theory::Layer::mean},
                                                        {"output", theory::Layer::output}}};
};
template <>
struct etastar::Names<etastar::theory::Criterion> {
    static constexpr std::string_view what = "criterion";
    static constexpr NameTable<theory::Criterion, 2> table{
        {{"linear", theory::Criterion::linear}, {"finite", theory::Criterion::finite}}};
};

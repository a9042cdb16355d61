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
    max,    // the largest G_l of each network: no closed form
    mean,   // (1/L) sum_l G_l
    output, // Theta^2, the output's own response
};

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

    // Linear order: E of the squared response to a unit error, so that E (change)^2 -> eta^2 times it. Infinite where
    // it leaves the range of double. Absent where it does not close.
    virtual std::optional<double> response(const model::Model& model, std::uint32_t width,
                                           std::uint32_t depth, Layer layer) const = 0;

    // E (change)^2 of a whole step of base rate eta. Absent where it does not close.
    virtual std::optional<double> change2(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                                          Layer layer, double eta) const;
};

// All of them, in the order of preference.
std::span<const Theory* const> theories();

// The first that covers the model in this regime; null where none does.
const Theory* find(const model::Model& model, Regime regime);

// eta* = (threshold / response)^(1/2): infinite for a response of 0, NaN for NaN.
double critical_rate(double response, double threshold = 1.0);

} // namespace etastar::theory

template <>
struct etastar::Names<etastar::theory::Layer> {
    static constexpr std::string_view what = "layer";
    static constexpr NameTable<theory::Layer, 4> table{{{"last", theory::Layer::last},
                                                        {"max", theory::Layer::max},
                                                        {"mean", theory::Layer::mean},
                                                        {"output", theory::Layer::output}}};
};

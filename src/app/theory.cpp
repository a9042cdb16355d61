#include "etastar/theory/theory.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/error.hpp"
#include "etastar/sweep/fields.hpp"

#include "../json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace etastar::app {
namespace {

// NaN where there is no theory or it does not close.
double response_of(const theory::Theory* theory, const model::Model& model, std::uint32_t width,
                   std::uint32_t depth, theory::Layer layer) {
    const auto response = theory == nullptr ? std::nullopt : theory->response(model, width, depth, layer);
    return response.value_or(std::numeric_limits<double>::quiet_NaN());
}

} // namespace

ExitCode theory_command(const Arguments& arguments) {
    using theory::Layer;
    const auto options = parse_theory(arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    const auto& model = options->grid.model;
    const auto* exact = theory::find(model, theory::Regime::finite_width);
    const auto* infinite = theory::find(model, theory::Regime::infinite_width);
    Json tree;
    for (const auto& field : sweep::fields())
        if (field.of_model) tree[std::string(field.key)] = field.write(options->grid);
    tree["threshold"] = options->threshold;
    tree["layer"] = name_of(options->layer);
    tree["cells"] = Json::array();
    std::string out = fmt::format(
        "eta*_lin for train {}, rates {}, layer {}, threshold {:g}: (threshold / E response)^(1/2)\n"
        "{:>10} {:>7} {:>14} {:>14} {:>14} {:>14}\n",
        name_of(model.train), name_of(model.parametrization), name_of(options->layer), options->threshold,
        "width", "depth", "exact", "n -> infinity", "E response", "n -> infinity");
    for (const auto width : options->grid.width)
        for (const auto depth : options->grid.depth) {
            const auto at = [&](const theory::Theory* theory, Layer layer) {
                return response_of(theory, model, width, depth, layer);
            };
            const double response = at(exact, options->layer);
            const double response_limit = at(infinite, options->layer);
            // A moment beyond the range of double has no rate, not the rate 0.
            const double rate = std::isfinite(response) ? theory::critical_rate(response, options->threshold)
                                                        : std::numeric_limits<double>::quiet_NaN();
            const double rate_limit = theory::critical_rate(response_limit, options->threshold);
            tree["cells"].push_back({{"width", width},
                                     {"depth", depth},
                                     {"exact", number(rate)},
                                     {"infinite", number(rate_limit)},
                                     {"response", number(response)},
                                     {"response_infinite", number(response_limit)},
                                     {"response_last", number(at(exact, Layer::last))},
                                     {"response_mean", number(at(exact, Layer::mean))},
                                     {"response_output", number(at(exact, Layer::output))}});
            out += fmt::format("{:>10} {:>7} {:>14.8g} {:>14.8g} {:>14.8g} {:>14.8g}\n", width, depth, rate,
                               rate_limit, response, response_limit);
        }
    if (!options->json.empty()) write_document(options->json, tree.dump(2) + "\n");
    if (options->json != "-") write_document("-", out);
    return ExitCode::done;
}

} // namespace etastar::app

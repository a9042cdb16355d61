#include "etastar/app/commands.hpp"
#include "etastar/theory/moments.hpp"

#include "../json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace etastar::app {
ExitCode theory_command(const Arguments& arguments) {
    const auto options = parse_theory(arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    Json tree = {{"train", sweep::name_of(options->train)}, {"rates", sweep::name_of(options->rates)},
                 {"input_dim", options->input_dim},         {"threshold", options->threshold},
                 {"layer", sweep::name_of(options->layer)}, {"cells", Json::array()}};
    std::string out = fmt::format(
        "eta*_lin for train {}, rates {}, layer {}, threshold {:g}: (threshold / E response)^(1/2)\n"
        "{:>10} {:>7} {:>14} {:>14} {:>14} {:>14}\n",
        sweep::name_of(options->train), sweep::name_of(options->rates), sweep::name_of(options->layer),
        options->threshold, "width", "depth", "exact", "n -> infinity", "E response", "n -> infinity");
    for (const auto width : options->width)
        for (const auto depth : options->depth) {
            const auto exact =
                theory::exact_responses(width, depth, options->input_dim, options->train, options->rates);
            const auto limit = theory::infinite_width_responses(width, depth, options->input_dim,
                                                                options->train, options->rates);
            const double response = exact.of(options->layer);
            const double response_limit = limit.of(options->layer);
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
                                     {"response_last", number(exact.of(theory::Layer::last))},
                                     {"response_mean", number(exact.of(theory::Layer::mean))},
                                     {"response_output", number(exact.output)}});
            out += fmt::format("{:>10} {:>7} {:>14.8g} {:>14.8g} {:>14.8g} {:>14.8g}\n", width, depth, rate,
                               rate_limit, response, response_limit);
        }
    if (!options->json.empty()) write_document(options->json, tree.dump(2) + "\n");
    if (options->json != "-") write_document("-", out);
    return ExitCode::done;
}

} // namespace etastar::app

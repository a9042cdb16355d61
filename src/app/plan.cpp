#include "etastar/plan/plan.hpp"

#include "etastar/analysis/prediction.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/trial/kind.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace etastar::app {
namespace {

// The 95 % intervals to come.
std::string show_prediction(const analysis::Prediction& prediction) {
    std::string out;
    const auto exponent = [&](const char* what, const std::optional<double>& half_width) {
        if (half_width) out += fmt::format("{:<16} +- {:.2g}\n", what, *half_width);
    };
    exponent("depth exponent", prediction.depth_exponent);
    exponent("width exponent", prediction.width_exponent);
    for (const auto& [width, slopes] : prediction.widths) {
        std::string line;
        for (const auto& slope : slopes)
            line += fmt::format("{}{} -> {}: +- {:.2g}", line.empty() ? "" : ", ", slope.depth,
                                slope.next_depth, slope.half_width);
        out += fmt::format("{:<16} width {}: {}\n", "local slopes", width, line);
    }
    if (!out.empty())
        out += fmt::format(
            "{:<16} half of the 95 % intervals of `fit`, linear criterion; the finite one from the same "
            "variance, less where control variates help\n",
            "");
    return out;
}

} // namespace

ExitCode plan_command(const Arguments& arguments, int ranks) {
    const auto options = parse_sweep("plan", arguments);
    if (!options) return ExitCode::done;
    const auto& spec = options->spec;
    const auto& kind = trial::find_kind(spec.trial);
    plan::Plan plan(spec); // refuses what the sweep would refuse
    plan.price([&](const plan::Cell& cell) { return kind.cost(spec, cell, options->weight_budget); });

    const auto& cells = plan.cells();
    double work = 0;
    for (const auto& cell : cells) work += cell.cost.seconds * static_cast<double>(spec.seeds);
    const auto& largest = *std::max_element(cells.begin(), cells.end(), [](const auto& a, const auto& b) {
        return a.cost.seconds < b.cost.seconds;
    });
    const auto memory = std::max_element(cells.begin(), cells.end(), [](const auto& a, const auto& b) {
                            return a.cost.bytes < b.cost.bytes;
                        })->cost.bytes;

    std::string out;
    const auto line = [&](const char* what, const std::string& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    line("networks", fmt::format("{} ({} widths x {} depths x {} seeds)", plan.networks(), spec.width.size(),
                                 spec.depth.size(), spec.seeds));
    line("rows", fmt::format("{} ({} rates a network)", plan.rows(), plan.rates()));
    if (!plan.unit_theory().empty())
        line("unit of rates", fmt::format("eta*_lin of each cell, by {}", plan.unit_theory()));
    line("file size", show_bytes(static_cast<double>(io::file_bytes(spec, kind))));
    line("memory per rank", show_bytes(static_cast<double>(memory)));
    line("work", fmt::format("{} on one core, at best {} on {} rank{}", show_duration(work),
                             show_duration(std::max(work / ranks, largest.cost.seconds)), ranks,
                             ranks == 1 ? "" : "s"));
    line("largest network", fmt::format("width {}, depth {}: {}", largest.width, largest.depth,
                                        show_duration(largest.cost.seconds)));
    if (const auto prediction = analysis::predict(plan)) out += show_prediction(*prediction);
    line("spec", to_json(spec));
    write_document("-", out);
    return ExitCode::done;
}

} // namespace etastar::app

#include "etastar/plan/plan.hpp"

#include "etastar/analysis/prediction.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/trial/kind.hpp"

#include "rounds.hpp"

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

double work_of(const plan::Plan& plan) {
    double seconds = 0;
    for (const auto& cell : plan.cells())
        seconds += cell.cost.seconds * static_cast<double>(plan.spec().seeds);
    return seconds;
}

// What the other engine would take, where there is a choice.
std::string show_engines(const plan::Plan& plan, const trial::Kind& kind, std::size_t weight_budget) {
    using engine::EngineKind;
    auto spec = plan.spec();
    const auto name = name_of(spec.engine);
    const auto other = spec.engine == EngineKind::dense ? EngineKind::implicit : EngineKind::dense;
    if (!has_engine(spec, other)) return fmt::format("{}, the only one for {}", name, optimizer_name(spec));
    spec.engine = other;
    plan::Plan alternative(spec, plan.etas());
    alternative.price([&](const plan::Cell& cell) { return kind.cost(spec, cell, weight_budget); });
    const double here = work_of(plan);
    const double there = work_of(alternative);
    return fmt::format("{}; the {} engine would take {}{}", name, name_of(other), show_duration(there),
                       there < here ? fmt::format(": --engine {} is cheaper here", name_of(other)) : "");
}

} // namespace

ExitCode plan_command(const Arguments& arguments, int ranks) {
    auto options = parse_sweep("plan", arguments);
    if (!options) return ExitCode::done;
    options->complete(*options);
    const auto& spec = options->spec;
    const auto& kind = trial::find_kind(spec.trial);
    plan::Plan plan(spec); // refuses what the sweep would refuse
    plan.price([&](const plan::Cell& cell) { return kind.cost(spec, cell, options->weight_budget); });

    const auto& cells = plan.cells();
    const double work = work_of(plan);
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
    line("networks",
         fmt::format("{}{} ({} widths x {} depths x {} seeds)", spec.has_target() ? "at most " : "",
                     plan.networks(), spec.width.size(), spec.depth.size(), spec.seeds));
    line("rows", fmt::format("{} ({} rates a network)", plan.rows(), plan.rates()));
    if (spec.trains()) line("training", describe_training(spec));
    if (!plan.unit_theory().empty())
        line("unit of rates", fmt::format("eta*_lin of each cell, by {}", plan.unit_theory()));
    line("file size", show_bytes(static_cast<double>(io::file_bytes(spec, kind))));
    line("memory per rank", show_bytes(static_cast<double>(memory)));
    line("work", fmt::format("{} on one core, at best {} on {} rank{}", show_duration(work),
                             show_duration(std::max(work / ranks, largest.cost.seconds)), ranks,
                             ranks == 1 ? "" : "s"));
    line("largest network", fmt::format("width {}, depth {}: {}", largest.width, largest.depth,
                                        show_duration(largest.cost.seconds)));
    if (spec.has_target()) out += show_target(plan);
    if (spec.trains())
        line("engine", show_engines(plan, kind, options->weight_budget));
    else if (const auto prediction = spec.has_target() ? std::nullopt : analysis::predict(plan))
        out += show_prediction(*prediction);
    line("spec", to_json(spec));
    write_document("-", out);
    return ExitCode::done;
}

} // namespace etastar::app

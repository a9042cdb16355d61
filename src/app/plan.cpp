#include "etastar/app/commands.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/theory/cell_rates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace etastar::app {

ExitCode plan_command(const Arguments& arguments, int ranks) {
    const auto options = parse_sweep("plan", arguments);
    if (!options) return ExitCode::done;
    const auto& spec = options->spec;
    double work = 0;
    engine::Estimate largest;
    std::uint32_t largest_width = 0;
    std::uint32_t largest_depth = 0;
    std::size_t memory = 0;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            theory::cell_rates(spec, width, depth); // refuses what the sweep would refuse
            const auto cell = engine::estimate(spec, width, depth, options->weight_budget);
            work += cell.seconds * static_cast<double>(spec.seeds);
            memory = std::max(memory, cell.bytes);
            if (cell.seconds > largest.seconds) {
                largest = cell;
                largest_width = width;
                largest_depth = depth;
            }
        }
    std::string out;
    const auto line = [&](const char* what, const std::string& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    line("networks", fmt::format("{} ({} widths x {} depths x {} seeds)", spec.networks(), spec.width.size(),
                                 spec.depth.size(), spec.seeds));
    line("rows", fmt::format("{} ({} rates a network)", spec.rows(), spec.eta.size()));
    line("file size", show_bytes(static_cast<double>(io::file_bytes(spec))));
    line("memory per rank", show_bytes(static_cast<double>(memory)));
    line("work",
         fmt::format("{} on one core, at best {} on {} rank{}", show_duration(work),
                     show_duration(std::max(work / ranks, largest.seconds)), ranks, ranks == 1 ? "" : "s"));
    line("largest network",
         fmt::format("width {}, depth {}: {}", largest_width, largest_depth, show_duration(largest.seconds)));
    line("spec", to_json(spec));
    write_document("-", out);
    return ExitCode::done;
}

} // namespace etastar::app

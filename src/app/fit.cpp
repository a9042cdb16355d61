#include "etastar/analysis/fit.hpp"

#include "etastar/analysis/report.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/io/sweep_reader.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace etastar::app {

ExitCode fit_command(const Arguments& arguments) {
    const auto options = parse_fit(arguments);
    if (!options) return ExitCode::done;
    std::error_code error;
    if (!options->json.empty() && std::filesystem::equivalent(options->json, options->file, error))
        throw UsageError("json: '" + options->json + "' is the sweep's own file");
    refuse_table("json", options->json);
    const auto table = io::read_sweep_file(options->file);
    const auto report = analysis::fit(table, options->fit);
    if (!options->json.empty())
        write_document(options->json, to_json(report, {options->file.string(), version()}));
    if (options->json != "-") {
        const auto& spec = table.plan.spec();
        write_document("-",
                       fmt::format("{}: {} widths x {} depths x {} networks x {} rates; engine {}\n{}\n\n",
                                   options->file.string(), spec.width.size(), spec.depth.size(), spec.seeds,
                                   spec.eta.size(), name_of(spec.engine), report.model)
                           + to_text(report, options->all));
    }
    return ExitCode::done;
}

} // namespace etastar::app

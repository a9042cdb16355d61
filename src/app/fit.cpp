#include "etastar/analysis/fit.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/error.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/report/csv.hpp"
#include "etastar/report/json.hpp"
#include "etastar/report/latex.hpp"
#include "etastar/report/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <string>

namespace etastar::app {
namespace {

// The documents that fit writes besides its text, by option; none has the name of another, of the sweep or of any table.
void check_documents(const FitCommandOptions& options) {
    std::map<std::string, const char*> taken;
    for (const auto& [option, name] :
         {std::pair{"json", options.json}, {"csv", options.csv}, {"latex", options.latex}}) {
        if (name.empty()) continue;
        refuse_table(option, name, options.file);
        const auto [other, is_first] = taken.emplace(name, option);
        if (!is_first)
            throw UsageError(fmt::format("{}: {} is also where --{} goes", option,
                                         name == "-" ? "standard output" : in_quotes(name), other->second));
    }
}

} // namespace

ExitCode fit_command(const Arguments& arguments) {
    const auto options = parse_fit(arguments);
    if (!options) return ExitCode::done;
    check_documents(*options);
    const auto table = io::read_sweep_file(options->file);
    const auto fit = analysis::fit(table, options->fit);
    const report::Source source{options->file.string(), version()};
    bool text = true;
    const auto write = [&](const std::string& name, auto document) {
        if (name.empty()) return;
        write_document(name, document());
        text = text && name != "-";
    };
    write(options->json, [&] { return report::to_json(fit, source); });
    write(options->csv, [&] { return report::to_csv(fit); });
    write(options->latex, [&] { return report::to_latex(fit, source); });
    if (text) {
        const auto& spec = table.plan.spec();
        write_document("-",
                       fmt::format("{}: {} x {} x {}{} x {}; engine {}\n{}\n\n", options->file.string(),
                                   counted(spec.width.size(), "width"), counted(spec.depth.size(), "depth"),
                                   spec.has_target() ? "up to " : "", counted(spec.seeds, "network"),
                                   counted(spec.eta.size(), "rate"), name_of(spec.engine), fit.model)
                           + report::to_text(fit, options->all));
    }
    return ExitCode::done;
}

} // namespace etastar::app

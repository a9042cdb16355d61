#include "etastar/app/commands.hpp"
#include "etastar/io/lease.hpp"
#include "etastar/io/sweep_reader.hpp"

#include <fmt/format.h>

namespace etastar::app {

ExitCode status_command(const Arguments& arguments) {
    const auto path = parse_status(arguments);
    if (!path) return ExitCode::done;
    io::SweepReader reader(*path);
    const auto count = reader.tally();
    const auto holder = io::Lease::holder(*path);
    std::string out;
    const auto line = [&](const char* what, const auto& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    line("networks", reader.plan().networks());
    line("finished", count.finished);
    line("failed", count.failed);
    line("pending", count.pending);
    if (reader.plan().spec().has_target()) line("skipped", count.skipped);
    line("damaged rows", count.damaged);
    // The file may say so of rows that have been damaged since.
    line("complete", reader.complete() && count.pending == 0 ? "yes" : "no");
    line("written by", holder ? holder->describe() : "nobody now");
    write_document("-", out);
    if (count.pending > 0) return ExitCode::stopped;
    return count.failed > 0 ? ExitCode::failed_trials : ExitCode::done;
}

} // namespace etastar::app

#include "etastar/selftest/selftest.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/command_line/parser.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/runner.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace etastar::app {

using command_line::Parser;
using parallel::Communicator;

namespace {

io::Provenance provenance_of_check(const Communicator& world) {
    auto provenance = provenance_of_program(world);
    provenance.blas = provenance.blas_core = provenance.blas_core_chosen_by = "none";
    return provenance;
}

std::optional<std::filesystem::path> parse_selftest(const Arguments& arguments) {
    Parser parser(
        "usage: [mpirun -n N] etastar selftest [options]\n\nWhether this installation works here: known "
        "answers of "
        "the random generator and of theory, the kernels\nof every instruction set, both engines, the BLAS, "
        "messages between all ranks, and a small sweep that is written,\nread back and fitted. A line per "
        "check; "
        "exit code 0, or 1 when one has failed.\n");
    std::string folder = ".";
    parser.file("dir", "folder to write a temporary file to, as sweeps will write there", folder);
    if (!parser.parse(arguments)) return std::nullopt;
    return folder;
}

} // namespace

ExitCode selftest_command(const Arguments& arguments, Communicator& communicator) {
    // Every rank has the same command line; rank 0 tells what is wrong with it.
    std::optional<std::filesystem::path> folder;
    if (communicator.rank() == 0) {
        try {
            isa_limit();
            folder = parse_selftest(arguments);
        } catch (...) {
            communicator.broadcast("");
            throw;
        }
    }
    if (communicator.broadcast(folder ? "go" : "").empty()) return ExitCode::done;
    return parallel::run_guarded(communicator, [&] {
        const auto print = [](const std::string& line) { write_document("-", line); };
        if (communicator.rank() == 0)
            print(fmt::format("etastar {} ({}), {}\n", version(), git_revision(),
                              counted(static_cast<std::uint64_t>(communicator.size()), "rank")));
        const auto [checks, failures] =
            selftest::run(communicator, folder.value_or(""), provenance_of_check(communicator), print);
        if (communicator.rank() == 0)
            print(failures == 0 ? fmt::format("all {} checks passed\n", checks)
                                : fmt::format("{} of {} checks FAILED\n", failures, checks));
        return failures == 0 ? ExitCode::done : ExitCode::internal;
    });
}

} // namespace etastar::app

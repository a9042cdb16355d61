#include "etastar/app/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace etastar::app {
namespace {

using parallel::Communicator;

template <auto run>
ExitCode alone(const Arguments& arguments, Communicator& /*communicator*/) {
    return run(arguments);
}

ExitCode run_plan(const Arguments& arguments, Communicator& communicator) {
    return plan_command(arguments, communicator.size());
}

constexpr Command command_table[] = {
    {"plan", "", "networks, rows, file size, memory and work of a sweep; runs nothing", run_plan},
    {"sweep", "", "run a sweep, or what is left of it, into one HDF5 file", sweep_command, true},
    {"status", "FILE", "which sweep a file is of, what of it has been done, and how long the rest takes",
     alone<status_command>},
    {"merge", "SHARD...", "join the shards of a sweep into one table", alone<merge_command>},
    {"fit", "FILE", "eta* per (width, depth) and the exponents, with intervals, beside exact theory",
     alone<fit_command>},
    {"report", "FILE", "the same as one page with figures, for a browser", alone<report_command>},
    {"theory", "", "exact and infinite-width eta* for given widths and depths", alone<theory_command>},
    {"transfer", "", "a learning rate from one width and depth to another, and PyTorch parameter groups",
     alone<transfer_command>},
    {"glossary", "", "what the words mean: eta*, response, dz2, threshold and the others, on one screen",
     alone<glossary_command>},
    {"selftest", "", "whether this installation works here: numbers, BLAS, files, MPI", selftest_command,
     true},
    {"completion", "SHELL", "completion of commands and options for bash or zsh", alone<completion_command>},
    {"man", "[COMMAND]", "the manual page of the program or of a command, for `man -l -`",
     alone<man_command>},
};

constexpr std::string_view meanings[] = {
    "done",
    "internal error, or a check of selftest has failed",
    "bad usage or configuration",
    "a file cannot be used",
    "stopped early by a signal or the time limit, --resume continues",
    "finished, with failed trials recorded",
};

} // namespace

std::span<const Command> commands() { return command_table; }

const Command* find_command(std::string_view name) {
    const auto* found = std::find_if(std::begin(command_table), std::end(command_table),
                                     [&](const Command& command) { return command.name == name; });
    return found == std::end(command_table) ? nullptr : found;
}

std::string command_names() {
    std::string names;
    for (const auto& command : command_table)
        names += fmt::format("{}{}",
                             names.empty()                             ? ""
                             : &command == std::end(command_table) - 1 ? " or "
                                                                       : ", ",
                             command.name);
    return names;
}

std::string usage() {
    std::string text =
        "usage: [mpirun -n N] etastar COMMAND [options]\n\n"
        "Measures how large a learning rate the first step of a deep network can have, and how it "
        "scales with width and depth.\n\n";
    for (const auto& command : command_table)
        text += fmt::format("  {:<16} {}\n", fmt::format("{} {}", command.name, command.operands),
                            command.summary);
    text += "\n  etastar COMMAND --help    options of a command\n"
            "  etastar --version         version and git revision\n"
            "  etastar --data-folder     where jobs/sweep.sbatch and other data are\n\nExit codes:";
    std::size_t column = 11;
    for (std::size_t code = 0; code < std::size(meanings); ++code) {
        const auto entry =
            fmt::format("{} {}{}", code, meanings[code], code + 1 < std::size(meanings) ? ";" : ".");
        const bool fits = column + 1 + entry.size() <= 100;
        text += (fits ? " " : "\n") + entry;
        column = (fits ? column + 1 : 0) + entry.size();
    }
    return text + "\n";
}

std::span<const std::string_view> exit_code_meanings() { return meanings; }

} // namespace etastar::app

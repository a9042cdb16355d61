#include "etastar/command_line/manual.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/command_line/completion.hpp"
#include "etastar/command_line/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace etastar::app {

using command_line::Parser;
using command_line::Program;

namespace {

// Without running its commands.
Program describe_program() {
    Program program;
    program.name = "etastar";
    program.version = version();
    program.date = release_date();
    program.summary = "largest stable learning rates of deep networks";
    program.synopsis = "mpirun -n N";
    program.about = "Measures how large a learning rate the first step of a deep network can have, and which "
                    "rates train, and how\n"
                    "that scales with width and depth: on a grid of random networks, with one process or "
                    "many, into one HDF5 file.";
    program.options = {
        {"--help", "Print the commands and exit."},
        {"--version", "Print the version and git revision."},
        {"--data-folder", "Print where job scripts and ready configurations are, in its folder jobs."},
    };
    program.environment = {
        {"ETASTAR_ISA",
         "baseline, avx2 or avx512: the widest instructions that kernels may have, the BLAS's among them."},
        {"ETASTAR_BLAS", "A shared library with CBLAS to load instead of the one that the program was built "
                         "with: a path, or a "
                         "name to be found as libraries are."},
        {"OPENBLAS_CORETYPE", "The processor type whose kernels OpenBLAS runs, Haswell for instance."},
        {"ETASTAR_MPI", "Set to anything: the program was started by an MPI launcher that it does not know."},
    };
    for (const auto meaning : exit_code_meanings()) program.exit_codes.emplace_back(meaning);
    parallel::Communicator alone;
    for (const auto& command : commands()) {
        const auto run = [&](const Arguments& arguments) { command.run(arguments, alone); };
        program.commands.push_back({std::string(command.name), std::string(command.operands),
                                    std::string(command.summary), Parser::describe(run)});
    }
    return program;
}

std::string page_named(const Program& program, std::string name) {
    if (name == program.name) return command_line::manual_page(program);
    if (const auto prefix = program.name + "-"; name.starts_with(prefix)) name.erase(0, prefix.size());
    const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                    [&](const auto& command) { return command.name == name; });
    if (found == program.commands.end())
        throw UsageError(fmt::format("COMMAND: {} is not one of {}", in_quotes(name), command_names()));
    return command_line::manual_page(program, *found);
}

} // namespace

ExitCode man_command(const Arguments& arguments) {
    Parser parser("usage: etastar man [COMMAND] [--folder FOLDER]\n\nPrints the manual page of a command, or "
                  "that of the "
                  "program:\n\n    etastar man fit | man -l -\n");
    std::vector<std::string> names;
    for (const auto& command : commands()) names.emplace_back(command.name);
    parser.accept_word(names);
    std::string folder;
    parser.file("folder", "write all pages there, as etastar.1, etastar-fit.1 and so on", folder);
    std::vector<std::string> words;
    if (!parser.parse(arguments, &words)) return ExitCode::done;
    const auto program = describe_program();
    if (folder.empty()) {
        write_document("-", page_named(program, words.empty() ? program.name : words.front()));
        return ExitCode::done;
    }
    if (!words.empty()) throw UsageError("folder: takes all pages; give no COMMAND");
    const auto write = [&](const std::string& name, const std::string& page) {
        write_document((std::filesystem::path(folder) / (name + ".1")).string(), page);
    };
    write(program.name, command_line::manual_page(program));
    for (const auto& command : program.commands)
        write(command_line::manual_name(program, command), command_line::manual_page(program, command));
    return ExitCode::done;
}

ExitCode completion_command(const Arguments& arguments) {
    Parser parser(
        "usage: etastar completion SHELL\n\nPrints the completion of commands, options, their values and "
        "files for bash or "
        "zsh. For this session:\n\n    source <(etastar completion bash)\n\nInstalled, it is in "
        "PREFIX/share/bash-completion/completions, from where bash-completion loads it if the\ndata folders "
        "(XDG_DATA_DIRS) include PREFIX/share, and in PREFIX/share/zsh/site-functions, which belongs\ninto "
        "zsh's fpath.\n");
    parser.accept_word({"bash", "zsh"});
    std::vector<std::string> words;
    if (!parser.parse(arguments, &words)) return ExitCode::done;
    if (words.empty()) throw UsageError("SHELL is missing: bash or zsh");
    const auto& shell = words.front();
    if (shell != "bash" && shell != "zsh")
        throw UsageError(fmt::format("SHELL: {} is not one of bash, zsh", in_quotes(shell)));
    const auto program = describe_program();
    write_document("-", shell == "bash" ? command_line::bash_completion(program)
                                        : command_line::zsh_completion(program));
    return ExitCode::done;
}

} // namespace etastar::app

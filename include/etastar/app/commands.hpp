#pragma once

#include "etastar/app/options.hpp"
#include "etastar/error.hpp"
#include "etastar/parallel/communicator.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace etastar::app {

// A command of the program; the usage, manual pages and completion of shells follow from this and from its Parser.
struct Command {
    std::string_view name;
    std::string_view operands; // as the usage shows them
    std::string_view summary;
    ExitCode (*run)(const Arguments& arguments, parallel::Communicator& communicator);
    bool collective = false; // run on every rank; others on rank 0 alone
};

// All of them, in the order of the usage.
std::span<const Command> commands();

// Null if there is none of this name.
const Command* find_command(std::string_view name);

// "plan, sweep, ... or transfer"
std::string command_names();

// What `etastar --help` prints.
std::string usage();

// The code's meaning, of every code from 0 on.
std::span<const std::string_view> exit_code_meanings();

// Each throws UsageError and FileError for what the user can mend.
ExitCode plan_command(const Arguments& arguments, int ranks);
ExitCode fit_command(const Arguments& arguments);
ExitCode report_command(const Arguments& arguments);
ExitCode merge_command(const Arguments& arguments);
ExitCode status_command(const Arguments& arguments);
ExitCode theory_command(const Arguments& arguments);
ExitCode transfer_command(const Arguments& arguments);
ExitCode completion_command(const Arguments& arguments);
ExitCode man_command(const Arguments& arguments);
ExitCode selftest_command(const Arguments& arguments, parallel::Communicator& communicator);
ExitCode glossary_command(const Arguments& arguments);
ExitCode sweep_command(const Arguments& arguments, parallel::Communicator& communicator);

// To a file, or to standard output where the name is "-". Throws FileError.
void write_document(const std::string& name, const std::string& document);

// To standard output, by a command whose product is a file: that it cannot be written is told, and is no failure.
void write_summary(const std::string& summary);

// Throws UsageError where a report of this name would replace an HDF5 file, which `sweep`, empty for none, is in any case.
void refuse_table(const char* option, const std::string& name, const std::filesystem::path& sweep = {});

// Throws UsageError where what is to be written is a file that is read, also by another name.
void refuse_input(const char* option, const std::filesystem::path& name, const std::filesystem::path& input);

// "4 ranks", "4 ranks x 8 threads", and "8 threads" of a single process.
std::string show_workers(int ranks, std::size_t threads);

} // namespace etastar::app

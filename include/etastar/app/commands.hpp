#pragma once

#include "etastar/app/options.hpp"
#include "etastar/error.hpp"
#include "etastar/parallel/communicator.hpp"

#include <filesystem>
#include <string>

namespace etastar::app {

// The commands of the program. All but sweep run on rank 0 alone; sweep is collective. All throw
// UsageError and FileError for what the user can mend.
ExitCode plan_command(const Arguments& arguments, int ranks);
ExitCode fit_command(const Arguments& arguments);
ExitCode report_command(const Arguments& arguments);
ExitCode merge_command(const Arguments& arguments);
ExitCode status_command(const Arguments& arguments);
ExitCode theory_command(const Arguments& arguments);
ExitCode transfer_command(const Arguments& arguments);
ExitCode sweep_command(const Arguments& arguments, parallel::Communicator& communicator);

// To a file, or to standard output where the name is "-". Throws FileError.
void write_document(const std::string& name, const std::string& document);

// To standard output, by a command whose product is a file: that it cannot be written is told, and is no failure.
void write_summary(const std::string& summary);

// Throws UsageError where a report of this name would replace an HDF5 file, which `sweep`, empty for none, is in any case.
void refuse_table(const char* option, const std::string& name, const std::filesystem::path& sweep = {});

// "1h02m", "3.5 s", "120 ms" and "1.5 GiB".
std::string show_duration(double seconds);
std::string show_bytes(double bytes);

} // namespace etastar::app

#include "etastar/command_line/output.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/io/document.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace etastar::app {

void write_document(const std::string& name, const std::string& document) {
    if (name == "-")
        command_line::print(document);
    else
        io::write_document(name, document);
}

void write_summary(const std::string& summary) {
    try {
        write_document("-", summary);
    } catch (const FileError& error) {
        print_error(fmt::format("{}; the table is as it should be", error.what()));
    }
}

void refuse_table(const char* option, const std::string& name, const std::filesystem::path& sweep) {
    std::error_code error;
    if (!name.empty() && !sweep.empty() && std::filesystem::equivalent(name, sweep, error))
        throw UsageError(fmt::format("{}: '{}' is the sweep's own file", option, name));
    if (!name.empty() && name != "-" && io::is_hdf5_file(name))
        throw UsageError(
            fmt::format("{}: '{}' is an HDF5 file, which is not replaced by a report", option, name));
}

void refuse_input(const char* option, const std::filesystem::path& name, const std::filesystem::path& input) {
    std::error_code error;
    if (!name.empty() && !input.empty() && std::filesystem::equivalent(name, input, error))
        throw UsageError(fmt::format("{}: '{}' is read as well: choose another name", option, name.string()));
}

std::string show_workers(int ranks, std::size_t threads) {
    auto of_ranks = counted(static_cast<std::uint64_t>(ranks), "rank");
    if (threads == 1) return of_ranks;
    return fmt::format("{}{} threads", ranks == 1 ? "" : of_ranks + " x ", threads);
}

} // namespace etastar::app

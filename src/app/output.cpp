#include "etastar/app/commands.hpp"
#include "etastar/io/document.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace etastar::app {

void write_document(const std::string& name, const std::string& document) {
    if (name != "-") return io::write_document(name, document);
    if (std::fwrite(document.data(), 1, document.size(), stdout) != document.size()
        || std::fflush(stdout) != 0)
        throw FileError(fmt::format("standard output: cannot write it ({})", std::strerror(errno)));
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

std::string show_duration(double seconds) {
    if (!std::isfinite(seconds)) return "?";
    if (seconds < 1) return fmt::format("{:.0f} ms", 1000 * seconds);
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

std::string show_bytes(double bytes) {
    const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < std::size(units)) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

std::string show_workers(int ranks, std::size_t threads) {
    auto of_ranks = fmt::format("{} rank{}", ranks, ranks == 1 ? "" : "s");
    if (threads == 1) return of_ranks;
    return fmt::format("{}{} threads", ranks == 1 ? "" : of_ranks + " x ", threads);
}

} // namespace etastar::app

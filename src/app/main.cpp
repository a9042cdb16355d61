#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/mpi.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/parallel/stop.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>

namespace etastar::app {
namespace {

bool is_one_of(const std::string& text, std::initializer_list<const char*> choices) {
    return std::find(choices.begin(), choices.end(), text) != choices.end();
}

// What is no command of the table.
ExitCode answer(const std::string& command, const Arguments& arguments) {
    const bool version_asked = is_one_of(command, {"--version", "version"});
    const bool help_asked = is_one_of(command, {"--help", "-h", "help"});
    if ((version_asked || help_asked || command == "--data-folder") && !arguments.empty())
        throw UsageError(fmt::format("unexpected argument {}; see --help", in_quotes(arguments.front())));
    if (version_asked) {
        write_document("-", fmt::format("etastar {} ({})\n", version(), git_revision()));
        return ExitCode::done;
    }
    if (command == "--data-folder") {
        const auto folder = data_folder();
        if (folder.empty()) throw FileError("--data-folder: no share/etastar beside the program's folder");
        write_document("-", folder + "\n");
        return ExitCode::done;
    }
    if (help_asked) {
        write_document("-", usage());
        return ExitCode::done;
    }
    if (command.empty()) throw UsageError(fmt::format("no command given: {}; see --help", command_names()));
    throw UsageError(fmt::format("{} is not a command: {}; see --help", in_quotes(command), command_names()));
}

ExitCode run(const std::string& command, const Arguments& arguments, parallel::Communicator& communicator) {
    try {
        const auto* known = find_command(command);
        if (known != nullptr && known->collective) return known->run(arguments, communicator);
        if (communicator.rank() != 0) return ExitCode::done;
        isa_limit(); // a bad setting is told
        return known != nullptr ? known->run(arguments, communicator) : answer(command, arguments);
    } catch (const UsageError& error) {
        print_error(error.what());
        return ExitCode::usage;
    } catch (const FileError& error) {
        print_error(error.what());
        return ExitCode::file;
    } catch (const std::bad_alloc&) {
        print_error("out of memory");
    } catch (const std::exception& error) {
        print_error(error.what());
    }
    return ExitCode::internal;
}

} // namespace
} // namespace etastar::app

namespace {

// Seconds for MPI to end: with a rank that died unseen it would wait for ever.
constexpr double longest_farewell = 10;

// Where a standard stream is closed, the next file to be opened would get its number, and messages would be written
// into a table. Standard output, where it is closed, stays one that cannot be written to.
void open_standard_streams() {
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(number, F_GETFD) < 0
            && ::open("/dev/null", number == STDOUT_FILENO ? O_RDONLY : O_RDWR) != number)
            std::_Exit(1);
}

int run_program(int argc, char** argv) {
    using namespace etastar;
    const app::Arguments words(argv + std::min(argc, 1), argv + argc);
    const std::string command = words.empty() ? "" : words.front();
    const app::Arguments arguments(words.begin() + (words.empty() ? 0 : 1), words.end());
    try {
        if (command == "sweep") parallel::watch_signals();
        // Without a launcher there is nobody to talk to; starting MPI is slow, and some login nodes refuse
        // it.
        std::optional<parallel::MpiSession> mpi;
        if (parallel::launched_by_mpi()) mpi.emplace();
        auto communicator = mpi ? mpi->world() : parallel::Communicator();
        const auto code = static_cast<int>(app::run(command, arguments, communicator));
        // Every rank leaves with rank 0's code.
        const auto shared = std::stoi(communicator.broadcast(std::to_string(code)));
        parallel::decide_exit(static_cast<ExitCode>(shared));
        if (mpi) parallel::exit_within(longest_farewell);
        return shared;
    } catch (const UsageError& error) {
        print_error(error.what());
        return static_cast<int>(ExitCode::usage);
    } catch (const std::exception& error) {
        print_error(error.what());
        return static_cast<int>(ExitCode::internal);
    }
}

} // namespace

int main(int argc, char** argv) {
    open_standard_streams();
    // A file size limit is then an error of write(2), which can be told.
    std::signal(SIGXFSZ, SIG_IGN);
    // And so is a pipe that nobody reads any more.
    std::signal(SIGPIPE, SIG_IGN);
    const int code = run_program(argc, argv);
    if (etastar::parallel::trial_cut_off()) {
        std::fflush(nullptr);
        std::_Exit(code);
    }
    return code;
}

#include "etastar/app/commands.hpp"
#include "etastar/io/lease.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/quantity.hpp"

#include "../json.hpp"
#include "clock.hpp"
#include "words.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

namespace etastar::app {
namespace {

// A writer touches its lock every second; after this long, network file systems and clocks that differ included, it
// is not heard of any more.
constexpr double longest_silence = 60;

// Of the time between two looks at a large file, that goes into looking.
constexpr double share_of_looking = 0.1;

// One look at a file.
struct Look {
    std::string file;
    sweep::Spec spec;
    std::string shard;
    std::string started; // UTC, as the file says
    std::uint64_t networks = 0;
    io::Tally tally;
    bool complete = false;
    double at = 0;         // seconds since 1970
    double last_write = 0; // the same
    std::optional<io::Heard> writer;

    double percent() const {
        return 100 * static_cast<double>(networks - tally.pending) / static_cast<double>(networks);
    }
    // Of a sweep with a target that goes on, that may need fewer than all networks.
    const char* most() const { return spec.has_target() && tally.pending > 0 ? "at most " : ""; }
    // Seconds since the writer was heard of.
    double silence() const { return std::max(at - writer->at, 0.0); }
    bool is_alive() const { return writer && silence() <= longest_silence; }

    // Networks a second since the writer began, as it tells.
    std::optional<double> rate() const {
        if (!is_alive() || !writer->advance) return std::nullopt;
        const auto& advance = *writer->advance;
        if (advance.networks == 0 || !(advance.told > advance.started)) return std::nullopt;
        return static_cast<double>(advance.networks) / (advance.told - advance.started);
    }

    // By the expected seconds of what is left, at the pace of what is done.
    std::optional<double> seconds_left() const {
        if (!rate()) return std::nullopt;
        const auto& advance = *writer->advance;
        if (!(advance.done > 0)) return std::nullopt;
        const double left = (advance.told - advance.started) * (advance.work / advance.done - 1);
        return std::max(left - silence(), 0.0);
    }

    ExitCode code() const {
        if (tally.pending > 0) return ExitCode::stopped;
        return tally.failed > 0 ? ExitCode::failed_trials : ExitCode::done;
    }
};

Look look_at(const std::filesystem::path& path) {
    Look look;
    look.file = path.string();
    io::SweepReader reader(path);
    look.spec = reader.plan().spec();
    look.networks = reader.plan().networks();
    look.shard = reader.provenance("shard");
    look.started = reader.provenance("started");
    look.tally = reader.tally();
    look.writer = io::Lease::heard(path);
    look.at = unix_now();
    // The file may say so of rows that have been damaged since.
    look.complete = reader.complete() && look.tally.pending == 0;
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0)
        look.last_write =
            static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
    return look;
}

std::string writer_in_words(const Look& look) {
    if (!look.writer) return "nobody now";
    auto text = look.writer->writer.describe();
    if (!look.is_alive())
        text += fmt::format("; not heard of for {}: it may have ended", show_duration(look.silence()));
    return text;
}

std::string status_report(const Look& look) {
    std::string out;
    const auto line = [&](const char* what, const auto& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    line("sweep", sweep_in_words(look.spec));
    if (!look.shard.empty()) line("shard", shown(look.shard, 80));
    line("networks", look.networks);
    line("finished", look.tally.finished);
    line("failed", look.tally.failed);
    line("pending", look.tally.pending);
    if (look.spec.has_target()) line("skipped", look.tally.skipped);
    line("damaged rows", look.tally.damaged);
    line("complete", look.complete ? "yes" : "no");
    auto done = fmt::format("{:.1f} %", look.percent());
    if (*look.most() != 0) done += fmt::format(" of {}{}", look.most(), look.networks);
    line("done", done);
    if (look.spec.has_target()) line("target", fmt::format("depth exponent +- {:g}", look.spec.target.ci));
    if (const auto started = read_utc_time(look.started)) line("begun", local_time(*started));
    line("last write", fmt::format("{}, {} ago", local_time(look.last_write),
                                   show_duration(std::max(look.at - look.last_write, 0.0))));
    line("written by", writer_in_words(look));
    if (const auto rate = look.rate()) line("rate", fmt::format("{:.4g} networks/s", *rate));
    if (const auto left = look.seconds_left())
        line("time left", fmt::format("{}, until {}", show_duration(*left), local_time(look.at + *left)));
    return out;
}

// For logs.
std::string log_line_of(const Look& look) {
    auto text =
        fmt::format("{} {}: {} of {}{} networks, {:.1f} %", local_time(look.at), shown(look.file, 200),
                    look.tally.finished + look.tally.failed, look.most(), look.networks, look.percent());
    if (look.tally.failed > 0) text += fmt::format(", {} failed", look.tally.failed);
    if (const auto rate = look.rate()) text += fmt::format(", {:.4g} networks/s", *rate);
    if (const auto left = look.seconds_left()) text += fmt::format(", {} left", show_duration(*left));
    if (!look.is_alive()) text += look.complete ? ", complete" : ", nobody writes it";
    return text + "\n";
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(shown(text, 4096)); }

Json json_of_look(const Look& look) {
    Json writer = nullptr;
    if (look.writer) {
        const auto& who = look.writer->writer;
        const auto& advance = look.writer->advance;
        writer = {{"host", shown(who.host, 255)},
                  {"pid", who.pid},
                  {"job", text_or_null(who.job)},
                  {"attempt", who.job.empty() ? Json(nullptr) : Json(who.attempt + 1)},
                  {"alive", look.is_alive()},
                  {"heard", utc_time(look.writer->at)},
                  {"started", advance ? Json(utc_time(advance->started)) : Json(nullptr)},
                  {"networks", advance ? Json(advance->networks) : Json(nullptr)}};
    }
    return {{"file", look.file},
            {"sweep", sweep_in_words(look.spec)},
            {"spec", Json::parse(sweep::to_json(look.spec))},
            {"spec_hash", sweep::hash(sweep::to_json(look.spec))},
            {"shard", text_or_null(look.shard)},
            {"networks", look.networks},
            {"finished", look.tally.finished},
            {"failed", look.tally.failed},
            {"pending", look.tally.pending},
            {"skipped", look.tally.skipped},
            {"damaged_rows", look.tally.damaged},
            {"percent", number(look.percent())},
            {"complete", look.complete},
            {"started", text_or_null(look.started)},
            {"last_write", utc_time(look.last_write)},
            {"looked", utc_time(look.at)},
            {"writer", std::move(writer)},
            {"rate", number(look.rate())},
            {"seconds_left", number(look.seconds_left())},
            {"exit_code", static_cast<int>(look.code())}};
}

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int /*signal*/) { interrupted = 1; }

void pause_for(double seconds) {
    using namespace std::chrono_literals;
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (interrupted == 0 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(
            std::min<std::chrono::duration<double>>(until - std::chrono::steady_clock::now(), 50ms));
}

// Lines that this takes, long ones broken.
std::size_t rows_on_terminal(const std::string& text) {
    winsize size = {};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t columns = known ? size.ws_col : 80;
    std::size_t rows = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        rows += std::max<std::size_t>((end - begin + columns - 1) / columns, 1);
        begin = end + 1;
    }
    return rows;
}

// Shows looks as they come: on a terminal each in the place of the one before, elsewhere a line each and the last in full.
class Screen {
public:
    explicit Screen(const StatusOptions& options) : options_(options) {}

    void show(const Look& look, bool is_last) {
        if (!options_.json.empty()) {
            // A line a look, for programs; one look alone is for people, too.
            const auto tree = json_of_look(look);
            return write_document(options_.json, dumped(tree, options_.watch ? -1 : 2) + "\n");
        }
        const auto report = status_report(look);
        if (!options_.watch) return write_document("-", report);
        if (!terminal_) return write_document("-", log_line_of(look) + (is_last ? report : ""));
        // Up to where the last one began, and away with it.
        const auto back = lines_ > 0 ? fmt::format("\x1b[{}A\x1b[J", lines_) : std::string();
        lines_ = rows_on_terminal(report);
        write_document("-", back + report);
    }

private:
    const StatusOptions& options_;
    bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
    std::size_t lines_ = 0; // of the last look
};

} // namespace

ExitCode status_command(const Arguments& arguments) {
    const auto options = parse_status(arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    if (options->watch)
        for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, note_interrupt);
    Screen screen(*options);
    while (true) {
        const auto begin = std::chrono::steady_clock::now();
        const auto look = look_at(options->file);
        const bool is_last = !options->watch || look.tally.pending == 0 || interrupted != 0;
        screen.show(look, is_last);
        if (is_last) return look.code();
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        pause_for(std::max(*options->watch, took / share_of_looking));
    }
}

} // namespace etastar::app

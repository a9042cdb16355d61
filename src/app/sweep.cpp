#include "etastar/app/commands.hpp"
#include "etastar/app/progress.hpp"
#include "etastar/app/version.hpp"
#include "etastar/engine/blas.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/parallel/stop.hpp"
#include "etastar/theory/cell_rates.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <new>
#include <numeric>
#include <optional>
#include <system_error>

namespace etastar::app {
namespace {

using parallel::Clock;
using namespace std::chrono_literals;

// Between the beginnings of two writes to the disk: rows are there, not only in the kernel, at most this long and as
// long as one write takes after their network has finished.
constexpr auto sync_interval = 15s;
// Between looks whether the file is still ours.
constexpr auto check_interval = 1s;
// Seconds of the time limit, at most and as a share of it, that are kept for the last writes and for mpirun, which
// takes a second or two to leave.
constexpr double longest_reserve = 2.5;
constexpr double reserved_share = 0.25;
// Of these, what a sweep that is still busy has before it is cut off, at most and as a share.
constexpr double longest_overtime = 1.25;
constexpr double overtime_share = 0.875;
// Messages about failed networks before only their number is told.
constexpr std::uint64_t most_failures_told = 5;

// Writes results as they come and keeps the user informed.
class Recorder final : public parallel::Collector {
public:
    Recorder(io::SweepFile& file, const sweep::Spec& spec, double work)
        : file_(file),
          spec_(spec),
          progress_(file.networks_left().size(), work),
          next_sync_(Clock::now() + sync_interval),
          next_check_(Clock::now() + check_interval) {}

    void collect(std::vector<parallel::NetworkResult>&& results) override {
        // Also before writing: a process that was suspended may wake up as the older of two writers.
        check_file();
        std::sort(results.begin(), results.end(),
                  [](const auto& a, const auto& b) { return a.network < b.network; });
        std::vector<io::FinishedNetwork> networks;
        for (const auto& result : results) networks.push_back({result.network, result.rows, result.response});
        file_.write_networks(networks);
        for (const auto& result : results) note(result);
        finished_ += results.size();
        unsynced_ = true;
    }

    void tick() override {
        progress_.show();
        check_file();
        const auto now = Clock::now();
        if (!unsynced_ || now < next_sync_) return;
        if (syncing_.valid() && syncing_.wait_for(0s) != std::future_status::ready) return;
        settle();
        // In a thread of its own: on some file systems it takes seconds, in which nobody would hand out work.
        try {
            syncing_ = std::async(std::launch::async, [this] { file_.sync(); });
        } catch (const std::system_error&) { // no more threads
            file_.sync();
        }
        unsynced_ = false;
        next_sync_ = now + sync_interval;
    }

    // Waits for a write to the disk. The kernel tells of an error only once: what that found is for all later ones.
    void settle() {
        if (syncing_.valid()) syncing_.get();
    }

    std::uint64_t finished() const { return finished_; } // networks, failed ones included
    std::uint64_t nonfinite() const { return nonfinite_; }
    std::uint64_t failed() const { return failed_; }
    double seconds() const { return progress_.seconds(); }

private:
    void check_file() {
        const auto now = Clock::now();
        if (now < next_check_) return;
        next_check_ = now + check_interval;
        file_.check();
    }

    void note(const parallel::NetworkResult& result) {
        for (const auto& row : result.rows) {
            nonfinite_ += row.status == sweep::Status::nonfinite;
            failed_ += row.status == sweep::Status::failed;
        }
        if (!result.error.empty() && ++failed_networks_ <= most_failures_told) {
            const auto id = spec_.network(result.network);
            print_error(fmt::format(
                "network width {}, depth {}, seed {} failed: {}{}", id.width, id.depth, id.seed, result.error,
                failed_networks_ == most_failures_told ? " (further failures are only counted)" : ""));
        }
        progress_.add(result.expected_seconds);
    }

    io::SweepFile& file_;
    const sweep::Spec& spec_;
    Progress progress_;
    Clock::time_point next_sync_;
    Clock::time_point next_check_;
    std::future<void> syncing_;
    bool unsynced_ = false;
    std::uint64_t finished_ = 0;
    std::uint64_t nonfinite_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t failed_networks_ = 0;
};

std::vector<parallel::Unit> units_of(const std::vector<std::uint64_t>& networks, const sweep::Spec& spec,
                                     std::size_t weight_budget) {
    std::vector<double> cells;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth)
            cells.push_back(engine::estimate(spec, width, depth, weight_budget).seconds);
    std::vector<parallel::Unit> units;
    units.reserve(networks.size());
    for (const auto network : networks) units.push_back({network, cells[network / spec.seeds]});
    return units;
}

parallel::EngineFactory engine_factory(const sweep::Spec& spec, std::size_t weight_budget) {
    // Engines are made in another thread.
    if (spec.engine == sweep::EngineKind::dense) engine::load_blas();
    return [spec, weight_budget] { return engine::make_engine(spec, weight_budget); };
}

using Deadline = std::optional<Clock::time_point>;

double seconds_until(Clock::time_point time) {
    return std::chrono::duration<double>(time - Clock::now()).count();
}

Clock::time_point after(double seconds, Clock::time_point start) {
    return start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// Ends the process if it has not ended soon after the deadline.
void cut_off_after(Clock::time_point deadline, double overtime) {
    parallel::exit_within(std::max(seconds_until(deadline) + overtime, 1e-3));
}

struct Prepared {
    SweepOptions options;
    io::SweepFile file;
    Deadline deadline;
    double overtime; // seconds after the deadline
};

// What rank 0 tells the others before work starts; an empty text sends them home. Clocks of ranks differ, so the
// deadline travels as the seconds left.
std::string pack_start(const Prepared& prepared) {
    nlohmann::json tree{{"spec", to_json(prepared.options.spec)},
                        {"weight_budget", prepared.options.weight_budget}};
    if (prepared.deadline) {
        tree["seconds_left"] = seconds_until(*prepared.deadline);
        tree["overtime"] = prepared.overtime;
    }
    return tree.dump();
}

// That a table will hold rows of different kernels.
void tell_change_of_kernels(const SweepOptions& options, const std::string& core) {
    if (options.spec.engine != sweep::EngineKind::dense) return;
    const auto begun = io::SweepReader(options.output).provenance("blas_core");
    if (begun == core) return;
    print_error(fmt::format(
        "{}: was begun with OpenBLAS's {} kernels and goes on with {}: rows differ in their last bits",
        options.output.string(), begun, core));
}

void describe_blas(const sweep::Spec& spec, io::Provenance& provenance) {
    try {
        engine::load_blas();
    } catch (const std::bad_alloc&) {
        // The implicit engine does without.
        if (spec.engine == sweep::EngineKind::dense) throw;
        provenance.blas = provenance.blas_core = provenance.blas_core_chosen_by = "none";
        return;
    }
    provenance.blas = engine::blas_version();
    provenance.blas_core = engine::blas_core();
    provenance.blas_core_chosen_by = engine::blas_core_chosen_by();
}

std::optional<Prepared> prepare(const Arguments& arguments, const parallel::Communicator& communicator,
                                Clock::time_point start) {
    isa_limit(); // told before anything is begun
    auto options = parse_sweep("sweep", arguments);
    if (!options) return std::nullopt;
    const auto& spec = options->spec;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) theory::cell_rates(spec, width, depth);
    Deadline deadline;
    double overtime = 0;
    if (const auto limit = options->time_limit) {
        const double reserve = std::min(longest_reserve, reserved_share * *limit);
        overtime = std::min(longest_overtime, overtime_share * reserve);
        deadline = after(*limit - reserve, start);
        // Also while a large file is laid out or read.
        cut_off_after(*deadline, overtime);
    }

    io::Provenance provenance;
    provenance.version = version();
    provenance.git_revision = git_revision();
    provenance.host = parallel::host_name();
    provenance.ranks = static_cast<std::uint32_t>(communicator.size());
    provenance.mpi = communicator.description();
    describe_blas(spec, provenance);
    if (options->shard_of) {
        provenance.shard = options->shard;
        provenance.shard_of = to_json(*options->shard_of);
    }
    auto file = options->resume
                    ? io::SweepFile::open_or_create(options->output, spec, provenance)
                    : io::SweepFile::create(options->output, spec, provenance, options->overwrite);
    if (!file.is_new() && !file.networks_left().empty())
        tell_change_of_kernels(*options, provenance.blas_core);
    return Prepared{std::move(*options), std::move(file), deadline, overtime};
}

std::string counted(std::uint64_t count, const char* thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

// Everything that has been told is on disk when this returns.
ExitCode coordinate(Prepared& prepared, parallel::Communicator& communicator) {
    const auto& spec = prepared.options.spec;
    auto& file = prepared.file;
    const auto name = prepared.options.output.string();
    const auto before = spec.networks() - file.networks_left().size();
    if (file.damaged() > 0)
        print_error(fmt::format("{}: {} torn or damaged; run again", name, counted(file.damaged(), "row")));
    auto units = units_of(file.networks_left(), spec, prepared.options.weight_budget);
    const double work =
        std::accumulate(units.begin(), units.end(), 0.0,
                        [](double sum, const parallel::Unit& unit) { return sum + unit.seconds; });
    std::optional<Recorder> recorder(std::in_place, file, spec, work);
    const auto outcome =
        run_networks(communicator, spec, std::move(units),
                     engine_factory(spec, prepared.options.weight_budget), *recorder, prepared.deadline);
    recorder->settle();
    const auto finished = recorder->finished();
    const auto failed = recorder->failed();
    const auto nonfinite = recorder->nonfinite();
    const auto seconds = recorder->seconds();
    recorder.reset();

    std::string summary;
    if (outcome.stopped) {
        file.sync();
        summary =
            fmt::format("{}: stopped {}; {} of {} networks finished, {} of them now; --resume continues",
                        name, outcome.by_signal ? "by a signal" : "at the time limit", before + finished,
                        spec.networks(), finished);
    } else {
        file.mark_complete();
        summary = fmt::format("{}: {}, {} in {}", name, counted(spec.networks(), "network"),
                              counted(spec.rows(), "row"), show_duration(seconds));
        if (!file.is_new()) summary += fmt::format("; {} networks were finished before", before);
    }
    if (nonfinite > 0)
        summary += fmt::format("; {} left the range of floating point", counted(nonfinite, "row"));
    if (failed > 0) summary += fmt::format("; {} failed", counted(failed, "row"));
    write_summary(summary + "\n");
    if (outcome.stopped) return ExitCode::stopped;
    return failed > 0 ? ExitCode::failed_trials : ExitCode::done;
}

void serve(const std::string& start, parallel::Communicator& communicator) {
    const auto tree = nlohmann::json::parse(start);
    const auto spec = sweep::from_json(tree.at("spec").get<std::string>());
    Deadline deadline;
    if (tree.contains("seconds_left")) {
        deadline = after(tree.at("seconds_left").get<double>(), Clock::now());
        // Rank 0 may be in no state to say anything.
        cut_off_after(*deadline, tree.at("overtime").get<double>());
    }
    serve_networks(communicator, spec, engine_factory(spec, tree.at("weight_budget").get<std::size_t>()),
                   deadline);
}

} // namespace

ExitCode sweep_command(const Arguments& arguments, parallel::Communicator& communicator) {
    const auto begin = Clock::now();
    std::optional<Prepared> prepared;
    std::string start;
    if (communicator.rank() == 0) {
        parallel::announce_exit();
        try {
            prepared = prepare(arguments, communicator, begin);
        } catch (...) {
            communicator.broadcast("");
            throw;
        }
        if (prepared) start = pack_start(*prepared);
    }
    start = communicator.broadcast(start);
    if (start.empty()) return ExitCode::done;

    return parallel::run_guarded(communicator, [&] {
        if (communicator.rank() == 0) return coordinate(*prepared, communicator);
        serve(start, communicator);
        return ExitCode::done;
    });
}

} // namespace etastar::app

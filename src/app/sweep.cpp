#include "etastar/app/commands.hpp"
#include "etastar/app/progress.hpp"
#include "etastar/app/version.hpp"
#include "etastar/engine/blas.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/theory/cell_rates.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <numeric>
#include <optional>

namespace etastar::app {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Rows are on the disk, not only in the kernel, at most this long after their network has finished.
constexpr auto sync_interval = 15s;
// Messages about failed networks before only their number is told.
constexpr std::uint64_t most_failures_told = 5;

// Writes results as they come and keeps the user informed.
class Recorder final : public parallel::Collector {
public:
    Recorder(io::SweepFile& file, const sweep::Spec& spec, const std::vector<double>& costs)
        : file_(file),
          spec_(spec),
          costs_(costs),
          progress_(spec.networks(), std::accumulate(costs.begin(), costs.end(), 0.0)),
          next_sync_(Clock::now() + sync_interval) {}

    void collect(parallel::NetworkResult&& result) override {
        // The profile first: a network whose rows say done is whole.
        if (!result.response.empty()) file_.write_profile(result.network, result.response);
        file_.write_rows(result.network * spec_.eta.size(), result.rows);
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
        progress_.add(costs_[result.network]);
        unsynced_ = true;
    }

    void tick() override {
        progress_.show();
        if (const auto now = Clock::now(); unsynced_ && now >= next_sync_) {
            file_.sync();
            unsynced_ = false;
            next_sync_ = now + sync_interval;
        }
    }

    std::uint64_t nonfinite() const { return nonfinite_; }
    std::uint64_t failed() const { return failed_; }
    double seconds() const { return progress_.seconds(); }

private:
    io::SweepFile& file_;
    const sweep::Spec& spec_;
    const std::vector<double>& costs_;
    Progress progress_;
    Clock::time_point next_sync_;
    bool unsynced_ = false;
    std::uint64_t nonfinite_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t failed_networks_ = 0;
};

std::vector<double> network_costs(const sweep::Spec& spec, std::size_t weight_budget) {
    std::vector<double> costs;
    costs.reserve(spec.networks());
    for (const auto width : spec.width)
        for (const auto depth : spec.depth)
            costs.insert(costs.end(), spec.seeds,
                         engine::estimate(spec, width, depth, weight_budget).seconds);
    return costs;
}

parallel::EngineFactory engine_factory(const sweep::Spec& spec, std::size_t weight_budget) {
    return [&spec, weight_budget] { return engine::make_engine(spec, weight_budget); };
}

// What rank 0 tells the others before work starts; an empty text sends them home.
std::string pack_start(const SweepOptions& options) {
    return nlohmann::json{{"spec", to_json(options.spec)}, {"weight_budget", options.weight_budget}}.dump();
}

struct Prepared {
    SweepOptions options;
    io::SweepFile file;
};

std::optional<Prepared> prepare(const Arguments& arguments, const parallel::Communicator& communicator) {
    auto options = parse_sweep("sweep", arguments);
    if (!options) return std::nullopt;
    const auto& spec = options->spec;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) theory::cell_rates(spec, width, depth);
    const io::Provenance provenance{version(),
                                    git_revision(),
                                    parallel::host_name(),
                                    static_cast<std::uint32_t>(communicator.size()),
                                    communicator.description(),
                                    engine::blas_version(),
                                    engine::blas_core()};
    auto file = io::SweepFile::create(options->output, spec, provenance, options->overwrite);
    return Prepared{std::move(*options), std::move(file)};
}

ExitCode coordinate(Prepared& prepared, parallel::Communicator& communicator) {
    const auto& spec = prepared.options.spec;
    std::vector<std::uint64_t> networks(spec.networks());
    std::iota(networks.begin(), networks.end(), std::uint64_t{0});
    const auto costs = network_costs(spec, prepared.options.weight_budget);
    std::optional<Recorder> recorder(std::in_place, prepared.file, spec, costs);
    run_networks(communicator, spec, networks, costs, engine_factory(spec, prepared.options.weight_budget),
                 *recorder);
    const auto failed = recorder->failed();
    const auto nonfinite = recorder->nonfinite();
    const auto seconds = recorder->seconds();
    recorder.reset();
    prepared.file.mark_complete();

    std::string summary = fmt::format("{}: {} networks, {} rows in {}", prepared.options.output.string(),
                                      spec.networks(), spec.rows(), show_duration(seconds));
    if (nonfinite > 0) summary += fmt::format("; {} rows left the range of floating point", nonfinite);
    if (failed > 0) summary += fmt::format("; {} rows failed", failed);
    // The table is whole whether or not anybody can read this.
    std::fputs((summary + "\n").c_str(), stdout);
    return failed > 0 ? ExitCode::failed_trials : ExitCode::done;
}

void serve(const std::string& start, parallel::Communicator& communicator) {
    const auto tree = nlohmann::json::parse(start);
    const auto spec = sweep::from_json(tree.at("spec").get<std::string>());
    serve_networks(communicator, spec, engine_factory(spec, tree.at("weight_budget").get<std::size_t>()));
}

} // namespace

ExitCode sweep_command(const Arguments& arguments, parallel::Communicator& communicator) {
    engine::use_one_blas_thread();
    std::optional<Prepared> prepared;
    std::string start;
    if (communicator.rank() == 0) {
        try {
            prepared = prepare(arguments, communicator);
        } catch (...) {
            communicator.broadcast("");
            throw;
        }
        if (prepared) start = pack_start(prepared->options);
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

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/engine/blas.hpp"
#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/mpi.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/parallel/stop.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/quantity.hpp"
#include "etastar/trial/kind.hpp"

#include "recorder.hpp"
#include "rounds.hpp"
#include "start.hpp"
#include "time_limit.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace etastar::app {
namespace {

using parallel::Clock;

// Of a user's file, in the provenance.
constexpr std::size_t longest_name_kept = 4096;

struct Prepared {
    SweepOptions options;
    io::SweepFile file;
    std::optional<TimeLimit> limit;
    Start start; // what is told of it

    const trial::Kind& kind() const { return trial::find_kind(options.spec.trial); }
    parallel::Job job() const {
        return parallel::Job::of(kind(), file.plan(), options.weight_budget, options.threads);
    }
};

std::optional<Clock::time_point> deadline_of(const std::optional<TimeLimit>& limit) {
    return limit ? std::optional(limit->deadline()) : std::nullopt;
}

// Before threads compute.
void load_blas_for(const SweepOptions& options) {
    const auto threads = options.spec.engine == engine::EngineKind::dense ? options.threads : 1;
    const auto products = engine::load_blas(threads);
    if (products < threads && options.threads_given)
        print_error(
            fmt::format("threads: {} share a BLAS that computes {} at a time: it is built without threads, "
                        "or has no memory for more",
                        threads, counted(products, "product")));
}

// Throws std::bad_alloc where the dense engine has no room for it.
void describe_blas(const SweepOptions& options, io::Provenance& provenance) {
    const auto& spec = options.spec;
    try {
        load_blas_for(options);
    } catch (const std::bad_alloc&) {
        // The implicit engine does without.
        if (spec.engine == engine::EngineKind::dense) throw;
        provenance.blas = provenance.blas_core = provenance.blas_core_chosen_by = "none";
        return;
    }
    provenance.blas = engine::blas_version();
    provenance.blas_core = engine::blas_core();
    provenance.blas_core_chosen_by = engine::blas_core_chosen_by();
}

io::Provenance provenance_of(const SweepOptions& options, const parallel::Communicator& communicator) {
    auto provenance = provenance_of_program(communicator);
    provenance.threads = static_cast<std::uint32_t>(options.threads);
    describe_blas(options, provenance);
    provenance.data_file = shown(options.data.string(), longest_name_kept);
    if (options.shard_of) {
        provenance.shard = options.shard;
        provenance.shard_of = to_json(*options.shard_of);
    }
    return provenance;
}

// That a table will hold rows of different kernels.
void tell_change_of_kernels(const SweepOptions& options, const std::string& core) {
    if (options.spec.engine != engine::EngineKind::dense) return;
    const auto begun = io::SweepReader(options.output).provenance("blas_core");
    if (begun == core) return;
    print_error(fmt::format(
        "{}: was begun with the BLAS's {} kernels and goes on with {}: rows differ in their last bits",
        options.output.string(), begun, core));
}

// The text that `say` makes on rank 0, on every rank; an empty one where `say` throws, so that no rank waits for ever.
template <class Say>
std::string told_by_root(parallel::Communicator& communicator, Say&& say) {
    if (communicator.rank() != 0) return communicator.broadcast("");
    std::string text;
    try {
        text = say();
    } catch (...) {
        communicator.broadcast("");
        throw;
    }
    return communicator.broadcast(text);
}

io::SweepFile file_of(const SweepOptions& options, const io::Provenance& provenance) {
    if (options.of_file) return io::SweepFile::open(options.output, options.spec);
    const plan::Plan plan(options.spec);
    return options.resume ? io::SweepFile::open_or_create(options.output, plan, provenance)
                          : io::SweepFile::create(options.output, plan, provenance, options.overwrite);
}

Prepared prepare(SweepOptions options, std::optional<TimeLimit> limit,
                 const parallel::Communicator& communicator, const std::vector<std::string>& places) {
    options.complete(options);
    const auto provenance = provenance_of(options, communicator);
    auto file = file_of(options, provenance);
    if (!file.is_new() && !file.networks_left().empty())
        tell_change_of_kernels(options, provenance.blas_core);
    Start start;
    start.file = options.output.string();
    start.to_do = file.networks_left().size();
    start.skipped = file.networks_skipped();
    start.before = file.plan().networks() - start.to_do - start.skipped;
    start.places = places_of(places);
    start.launched = parallel::launched_by_mpi();
    start.blas = provenance.blas;
    start.blas_core = provenance.blas_core;
    start.mpi = communicator.description();
    start.limit = options.time_limit;
    start.threads = options.threads;
    start.why_fewer_threads = options.why_fewer_threads;
    start.has_target = options.spec.has_target();
    return Prepared{std::move(options), std::move(file), limit, std::move(start)};
}

// What rank 0 tells the others before work starts: a line of JSON, and the user's examples as they are in memory.
std::string pack_start(const Prepared& prepared) {
    const auto& plan = prepared.file.plan();
    auto text = nlohmann::json{{"spec", to_json(plan.spec())},
                               {"etas", plan.etas()},
                               {"weight_budget", prepared.options.weight_budget},
                               {"threads", prepared.options.threads}}
                    .dump()
                + "\n";
    if (const auto& table = plan.spec().training.data.table)
        for (const auto* values : {&table->x, &table->y})
            text.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(double));
    return text;
}

std::shared_ptr<const model::Dataset> unpack_data(const sweep::Spec& spec, std::string_view bytes) {
    const auto& data = spec.training.data;
    if (data.source != model::DataSource::file) return nullptr;
    model::Dataset table{data.samples, spec.model.input_dim, {}, {}};
    table.x.resize(std::size_t{table.samples} * table.input_dim);
    table.y.resize(table.samples);
    for (auto* values : {&table.x, &table.y}) {
        const auto size = values->size() * sizeof(double);
        if (bytes.size() < size) throw std::logic_error("the examples from rank 0 are cut short");
        std::memcpy(values->data(), bytes.data(), size);
        bytes.remove_prefix(size);
    }
    return std::make_shared<const model::Dataset>(std::move(table));
}

void serve(const std::string& start, const std::optional<TimeLimit>& limit,
           parallel::Communicator& communicator) {
    const auto line = std::string_view(start).substr(0, start.find('\n'));
    const auto tree = nlohmann::json::parse(line);
    auto spec = sweep::from_json(tree.at("spec").get<std::string>());
    spec.training.data.table = unpack_data(spec, std::string_view(start).substr(line.size() + 1));
    const plan::Plan plan(std::move(spec), tree.at("etas").get<std::vector<double>>());
    const auto threads = tree.at("threads").get<std::size_t>();
    if (plan.spec().engine == engine::EngineKind::dense) engine::load_blas(threads);
    const auto job = parallel::Job::of(trial::find_kind(plan.spec().trial), plan,
                                       tree.at("weight_budget").get<std::size_t>(), threads);
    serve_networks(communicator, job, deadline_of(limit));
}

plan::Plan priced_plan(const Prepared& prepared) {
    auto plan = prepared.file.plan();
    plan.price([&](const plan::Cell& cell) {
        return prepared.kind().cost(plan.spec(), cell, prepared.options.weight_budget);
    });
    return plan;
}

std::vector<parallel::Unit> units_of(const Prepared& prepared, const plan::Plan& priced) {
    const auto& networks = prepared.file.networks_left();
    std::vector<parallel::Unit> units;
    units.reserve(networks.size());
    for (const auto network : networks) units.push_back({network, priced.cell_of(network).cost.seconds});
    return units;
}

std::string summary_of(const Prepared& prepared, const parallel::Outcome& outcome,
                       const Recorder::Counts& counts, double seconds, const std::string& target) {
    const auto& plan = prepared.file.plan();
    const auto name = prepared.options.output.string();
    const auto before = prepared.start.before;
    std::string text;
    if (outcome.stopped) {
        text = fmt::format("{}: stopped {}; {} of {} networks finished, {} of them now; --resume continues",
                           name, outcome.by_signal ? "by a signal" : "at the time limit",
                           before + counts.finished, plan.networks(), counts.finished);
        if (!target.empty()) text += "; " + target;
    } else if (!target.empty()) {
        text = fmt::format("{}: {}; {}", name, target, show_duration(seconds));
    } else {
        text = fmt::format("{}: {}, {} in {}", name, counted(plan.networks(), "network"),
                           counted(plan.rows(), "row"), show_duration(seconds));
        if (!prepared.file.is_new()) text += fmt::format("; {} networks were finished before", before);
    }
    if (counts.nonfinite > 0)
        text += fmt::format("; {} left the range of floating point", counted(counts.nonfinite, "row"));
    if (counts.failed > 0) text += fmt::format("; {} failed", counted(counts.failed, "row"));
    return text + "\n";
}

void tell_start(Start start, const std::vector<parallel::Unit>& units, Verbosity verbosity) {
    if (verbosity == Verbosity::quiet) return;
    for (const auto& unit : units) {
        start.work += unit.seconds;
        start.longest = std::max(start.longest, unit.seconds);
    }
    print_log(start_line(start));
    if (verbosity == Verbosity::verbose)
        for (const auto& line : host_lines(start.places)) print_log("etastar: " + line);
}

// Everything that has been told is on disk when this returns.
ExitCode coordinate(Prepared& prepared, parallel::Communicator& communicator) {
    auto& file = prepared.file;
    if (file.damaged_rows() > 0)
        print_error(fmt::format("{}: {} torn or damaged; run again", prepared.options.output.string(),
                                counted(file.damaged_rows(), "row")));
    const auto plan = priced_plan(prepared);
    const bool has_target = plan.spec().has_target();
    auto units = has_target ? std::vector<parallel::Unit>() : units_of(prepared, plan);
    const double work =
        std::accumulate(units.begin(), units.end(), 0.0,
                        [](double sum, const parallel::Unit& unit) { return sum + unit.seconds; });
    const auto verbosity = prepared.options.verbosity;
    tell_start(prepared.start, has_target ? units_of(prepared, plan) : units, verbosity);
    const auto deadline = deadline_of(prepared.limit);
    std::optional<Recorder> recorder(std::in_place, file, units.size(), work, verbosity);
    std::optional<Rounds> rounds;
    if (has_target) rounds.emplace(plan, file, prepared.options.output, *recorder);
    parallel::Collector& collector = rounds ? static_cast<parallel::Collector&>(*rounds) : *recorder;
    auto outcome = run_networks(communicator, std::move(units), prepared.job(), collector, deadline);
    const auto has_to_stop = [&] {
        return parallel::stop_requested() != parallel::Urgency::none
               || (deadline && Clock::now() >= *deadline);
    };
    if (rounds && !outcome.stopped && !rounds->skip_rest(has_to_stop)) {
        outcome.stopped = true;
        outcome.by_signal = parallel::stop_requested() != parallel::Urgency::none;
    }
    recorder->settle();
    const auto counts = recorder->counts();
    const auto seconds = recorder->seconds();
    recorder.reset(); // ends the line of progress

    if (outcome.stopped)
        file.sync();
    else
        file.mark_complete();
    if (verbosity != Verbosity::quiet)
        write_summary(summary_of(prepared, outcome, counts, seconds, rounds ? rounds->summary() : ""));
    if (outcome.stopped) return ExitCode::stopped;
    return counts.failed > 0 ? ExitCode::failed_trials : ExitCode::done;
}

} // namespace

ExitCode sweep_command(const Arguments& arguments, parallel::Communicator& communicator) {
    const auto begin = Clock::now();
    const bool is_root = communicator.rank() == 0;
    std::optional<SweepOptions> options;
    std::optional<TimeLimit> limit;
    // Before the file is touched: rank 0 may hang in the file system, and the others still have to end in time.
    const auto told_limit = told_by_root(communicator, [&] {
        parallel::announce_exit(false); // there may be no file yet
        isa_limit();                    // told before anything is begun
        options = parse_sweep("sweep", arguments);
        if (!options) return std::string();
        if (options->time_limit) limit.emplace(*options->time_limit, begin);
        return (limit ? limit->to_json() : nlohmann::json()).dump();
    });
    if (told_limit.empty()) return ExitCode::done;
    if (const auto told = nlohmann::json::parse(told_limit); !is_root && !told.is_null()) limit.emplace(told);

    const auto places = communicator.gather(own_place());
    std::optional<Prepared> prepared;
    const auto start = told_by_root(communicator, [&] {
        prepared = prepare(std::move(*options), limit, communicator, places);
        parallel::announce_exit(true);
        return pack_start(*prepared);
    });
    if (start.empty()) return ExitCode::done;

    return parallel::run_guarded(communicator, [&] {
        if (is_root) return coordinate(*prepared, communicator);
        serve(start, limit, communicator);
        return ExitCode::done;
    });
}

} // namespace etastar::app

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/engine/blas.hpp"
#include "etastar/error.hpp"
#include "etastar/host.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/parallel/stop.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/kind.hpp"

#include "recorder.hpp"
#include "time_limit.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

struct Prepared {
    SweepOptions options;
    io::SweepFile file;
    std::optional<TimeLimit> limit;

    const trial::Kind& kind() const { return trial::find_kind(options.spec.trial); }
    parallel::Job job() const { return parallel::Job::of(kind(), file.plan(), options.weight_budget); }
};

std::optional<Clock::time_point> deadline_of(const std::optional<TimeLimit>& limit) {
    return limit ? std::optional(limit->deadline()) : std::nullopt;
}

// Throws std::bad_alloc where the dense engine has no room for it.
void describe_blas(const sweep::Spec& spec, io::Provenance& provenance) {
    try {
        engine::load_blas();
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
    io::Provenance provenance;
    provenance.version = version();
    provenance.git_revision = git_revision();
    provenance.host = host_name();
    provenance.ranks = static_cast<std::uint32_t>(communicator.size());
    provenance.mpi = communicator.description();
    describe_blas(options.spec, provenance);
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

Prepared prepare(SweepOptions options, std::optional<TimeLimit> limit,
                 const parallel::Communicator& communicator) {
    options.complete(options);
    const plan::Plan plan(options.spec);
    const auto provenance = provenance_of(options, communicator);
    auto file = options.resume ? io::SweepFile::open_or_create(options.output, plan, provenance)
                               : io::SweepFile::create(options.output, plan, provenance, options.overwrite);
    if (!file.is_new() && !file.networks_left().empty())
        tell_change_of_kernels(options, provenance.blas_core);
    return Prepared{std::move(options), std::move(file), limit};
}

// What rank 0 tells the others before work starts: a line of JSON, and the user's examples as they are in memory.
std::string pack_start(const Prepared& prepared) {
    const auto& plan = prepared.file.plan();
    auto text = nlohmann::json{{"spec", to_json(plan.spec())},
                               {"etas", plan.etas()},
                               {"weight_budget", prepared.options.weight_budget}}
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
    // Workers run in another thread.
    if (plan.spec().engine == engine::EngineKind::dense) engine::load_blas();
    const auto job = parallel::Job::of(trial::find_kind(plan.spec().trial), plan,
                                       tree.at("weight_budget").get<std::size_t>());
    serve_networks(communicator, job, deadline_of(limit));
}

std::vector<parallel::Unit> units_of(const Prepared& prepared) {
    auto plan = prepared.file.plan();
    plan.price([&](const plan::Cell& cell) {
        return prepared.kind().cost(plan.spec(), cell, prepared.options.weight_budget);
    });
    const auto& networks = prepared.file.networks_left();
    std::vector<parallel::Unit> units;
    units.reserve(networks.size());
    for (const auto network : networks) units.push_back({network, plan.cell_of(network).cost.seconds});
    return units;
}

std::string counted(std::uint64_t count, const char* thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string summary_of(const Prepared& prepared, const parallel::Outcome& outcome,
                       const Recorder::Counts& counts, double seconds) {
    const auto& plan = prepared.file.plan();
    const auto name = prepared.options.output.string();
    const auto before = plan.networks() - prepared.file.networks_left().size();
    std::string text;
    if (outcome.stopped) {
        text = fmt::format("{}: stopped {}; {} of {} networks finished, {} of them now; --resume continues",
                           name, outcome.by_signal ? "by a signal" : "at the time limit",
                           before + counts.finished, plan.networks(), counts.finished);
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

// Everything that has been told is on disk when this returns.
ExitCode coordinate(Prepared& prepared, parallel::Communicator& communicator) {
    auto& file = prepared.file;
    if (file.damaged_rows() > 0)
        print_error(fmt::format("{}: {} torn or damaged; run again", prepared.options.output.string(),
                                counted(file.damaged_rows(), "row")));
    auto units = units_of(prepared);
    const double work =
        std::accumulate(units.begin(), units.end(), 0.0,
                        [](double sum, const parallel::Unit& unit) { return sum + unit.seconds; });
    std::optional<Recorder> recorder(std::in_place, file, work);
    const auto outcome =
        run_networks(communicator, std::move(units), prepared.job(), *recorder, deadline_of(prepared.limit));
    recorder->settle();
    const auto counts = recorder->counts();
    const auto seconds = recorder->seconds();
    recorder.reset(); // ends the line of progress

    if (outcome.stopped)
        file.sync();
    else
        file.mark_complete();
    write_summary(summary_of(prepared, outcome, counts, seconds));
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
        parallel::announce_exit();
        isa_limit(); // told before anything is begun
        options = parse_sweep("sweep", arguments);
        if (!options) return std::string();
        if (options->time_limit) limit.emplace(*options->time_limit, begin);
        return (limit ? limit->to_json() : nlohmann::json()).dump();
    });
    if (told_limit.empty()) return ExitCode::done;
    if (const auto told = nlohmann::json::parse(told_limit); !is_root && !told.is_null()) limit.emplace(told);

    std::optional<Prepared> prepared;
    const auto start = told_by_root(communicator, [&] {
        prepared = prepare(std::move(*options), limit, communicator);
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

#include "etastar/app/commands.hpp"
#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/plan/shards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace etastar::app {
namespace {

namespace fs = std::filesystem;

// What of a shard's provenance goes into that of the whole.
constexpr const char* told_attributes[] = {"version",   "git_revision",        "host",     "mpi", "blas",
                                           "blas_core", "blas_core_chosen_by", "data_file"};

// Of a shard, looked through once; its file is open only while it is read, for there may be more shards than a process
// may have open files.
struct Shard {
    fs::path path;
    sweep::Spec spec;
    bool failed = false; // some networks
    std::vector<double> etas;
    std::string unit_theory;
    std::map<std::string, std::string> provenance;
};

void refuse_same_files(const MergeOptions& options) {
    std::error_code ignored;
    for (std::size_t i = 0; i < options.shards.size(); ++i) {
        const auto& path = options.shards[i];
        if (fs::equivalent(path, options.output, ignored))
            throw UsageError(fmt::format("output: {} is itself one of the shards", path.string()));
        for (std::size_t k = 0; k < i; ++k)
            if (fs::equivalent(path, options.shards[k], ignored))
                throw UsageError(fmt::format("{} is given twice", path.string()));
    }
}

// Refuses networks that have not run; returns whether some have failed.
bool refuse_unfinished(io::SweepReader& reader, const fs::path& path) {
    const auto count = reader.tally();
    if (count.pending == 0) return count.failed > 0;
    throw FileError(
        fmt::format("{}: {} of {} networks are not finished{}; `etastar sweep --resume` continues it",
                    path.string(), count.pending, reader.plan().networks(),
                    count.damaged > 0 ? fmt::format(" ({} damaged rows)", count.damaged) : ""));
}

// What all shards agree on, else all that they say.
io::Provenance provenance_of(const std::vector<Shard>& shards) {
    const auto common = [&](const char* name) {
        std::vector<std::string> values;
        for (const auto& shard : shards)
            if (const auto& value = shard.provenance.at(name);
                !value.empty() && std::find(values.begin(), values.end(), value) == values.end())
                values.push_back(value);
        return fmt::format("{}", fmt::join(values, ", "));
    };
    std::vector<std::string> names;
    names.reserve(shards.size());
    for (const auto& shard : shards) names.push_back(shard.path.filename().string());
    io::Provenance provenance;
    provenance.version = common("version");
    provenance.git_revision = common("git_revision");
    provenance.host = common("host");
    provenance.mpi = common("mpi");
    provenance.blas = common("blas");
    provenance.blas_core = common("blas_core");
    provenance.blas_core_chosen_by = common("blas_core_chosen_by");
    provenance.data_file = common("data_file");
    provenance.merged_from = fmt::format("{}", fmt::join(names, ", "));
    return provenance;
}

// Rates in units of eta*_lin are those of the theory of the version that began each shard.
void refuse_other_rates(const std::vector<Shard>& shards) {
    for (const auto& shard : shards)
        if (shard.etas != shards.front().etas)
            throw FileError(
                fmt::format("{}: is no shard of the same sweep as {}: their absolute rates differ, as of "
                            "different versions of Etastar",
                            shard.path.string(), shards.front().path.string()));
}

// That shards differ in more than their seeds.
void tell_different_kernels(const sweep::Spec& spec, const std::string& cores) {
    if (spec.engine == engine::EngineKind::dense && cores.find(", ") != std::string::npos)
        print_error(fmt::format(
            "shards were computed with different kernels of the BLAS ({}): rows differ in their last bits",
            cores));
}

[[noreturn]] void refuse_changed(const fs::path& path) {
    throw FileError(fmt::format("{}: was changed while it was merged", path.string()));
}

// A cell's networks are neighbours in every table, its shards' in the order of their seeds.
void copy_records(const Shard& shard, io::SweepFile& file) {
    io::SweepReader reader(shard.path);
    const auto& merged = file.plan().spec();
    const auto& spec = reader.plan().spec();
    if (spec != shard.spec || reader.plan().etas() != shard.etas) refuse_changed(shard.path);
    const auto bytes = file.layout().bytes();
    const auto at_once = std::min(reader.networks_at_once(), spec.seeds);
    std::vector<std::byte> records(at_once * bytes);
    for (std::uint64_t cell = 0; cell < merged.cells(); ++cell)
        for (std::uint64_t i = 0; i < spec.seeds; i += at_once) {
            const auto from = cell * spec.seeds + i;
            const auto to = cell * merged.seeds + (spec.first_seed - merged.first_seed) + i;
            std::vector<io::FinishedNetwork> networks(std::min(at_once, spec.seeds - i));
            reader.read_records(from, networks.size(), trial::Bytes(records).first(networks.size() * bytes));
            for (std::uint64_t k = 0; k < networks.size(); ++k) {
                const auto record = trial::ConstBytes(records).subspan(k * bytes, bytes);
                for (std::size_t rate = 0; rate < file.layout().rates(); ++rate)
                    if (trial::status(file.layout().row(record, rate)) == trial::Status::pending)
                        refuse_changed(shard.path);
                networks[k] = {to + k, record};
            }
            file.write_networks(networks);
        }
}

} // namespace

ExitCode merge_command(const Arguments& arguments) {
    const auto options = parse_merge(arguments);
    if (!options) return ExitCode::done;
    refuse_same_files(*options);
    std::vector<plan::Part> parts;
    for (const auto& path : options->shards) {
        const io::SweepReader reader(path);
        if (reader.plan().spec().has_target())
            throw FileError(
                fmt::format("{}: is a sweep with --target-ci, which is no shard: what it ran depends on its "
                            "own seeds alone",
                            path.string()));
        parts.push_back({path.string(), reader.plan().spec(), reader.provenance("shard_of")});
        // One copy of the examples that all of them have.
        auto& data = parts.back().spec.training.data;
        if (const auto& first = parts.front().spec.training.data; data == first) data.table = first.table;
    }
    const auto merged = plan::join(parts);

    std::vector<Shard> shards;
    for (const auto& part : parts) {
        io::SweepReader reader(part.name);
        if (reader.plan().spec() != part.spec) refuse_changed(part.name);
        Shard shard{part.name,
                    part.spec,
                    refuse_unfinished(reader, part.name),
                    reader.plan().etas(),
                    reader.plan().unit_theory(),
                    {}};
        for (const auto* name : told_attributes) shard.provenance[name] = reader.provenance(name);
        shards.push_back(std::move(shard));
    }
    refuse_other_rates(shards);
    const plan::Plan plan(merged, shards.front().etas, shards.front().unit_theory);
    const auto provenance = provenance_of(shards);
    auto file = io::SweepFile::create(options->output, plan, provenance, options->overwrite);
    tell_different_kernels(merged, provenance.blas_core);
    for (const auto& shard : shards) copy_records(shard, file);
    file.mark_complete();
    write_summary(fmt::format("{}: {} networks, {} rows of {} shards\n", options->output.string(),
                              plan.networks(), plan.rows(), shards.size()));
    const bool failed =
        std::any_of(shards.begin(), shards.end(), [](const Shard& shard) { return shard.failed; });
    return failed ? ExitCode::failed_trials : ExitCode::done;
}

} // namespace etastar::app

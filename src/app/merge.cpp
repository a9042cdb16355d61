#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace etastar::app {
namespace {

namespace fs = std::filesystem;

struct Shard {
    fs::path path;
    io::SweepReader reader;

    const sweep::Spec& spec() const { return reader.spec(); }
    std::uint64_t first() const { return spec().first_seed; }
    std::uint64_t last() const {
        return spec().first_seed + (spec().seeds - 1);
    } // inclusive: the end may be 2^64
};

std::string seeds(std::uint64_t first, std::uint64_t last) {
    return first == last ? fmt::format("seed {}", first) : fmt::format("seeds {} to {}", first, last);
}

// The spec without its seeds.
sweep::Spec family(sweep::Spec spec) {
    spec.first_seed = 0;
    spec.seeds = 1;
    return spec;
}

// Refuses networks that have not run; returns whether some have failed.
bool refuse_unfinished(Shard& shard) {
    const auto count = shard.reader.tally();
    if (count.pending == 0) return count.failed > 0;
    throw FileError(
        fmt::format("{}: {} of {} networks are not finished{}; `etastar sweep --resume` continues it",
                    shard.path.string(), count.pending, shard.spec().networks(),
                    count.damaged > 0 ? fmt::format(" ({} damaged rows)", count.damaged) : ""));
}

void refuse_strangers(const std::vector<Shard>& shards) {
    const auto& first = shards.front();
    for (const auto& shard : shards)
        for (const auto& [field, here, there] :
             sweep::differences(family(first.spec()), family(shard.spec())))
            throw FileError(fmt::format("{}: is no shard of the same sweep as {}: {} is {} there, {} here",
                                        shard.path.string(), first.path.string(), field, here, there));
    for (const auto& shard : shards)
        if (shard.reader.provenance("shard_of") != first.reader.provenance("shard_of"))
            throw FileError(
                fmt::format("{}: is no shard of the same sweep as {}: their whole sweeps have other seeds",
                            shard.path.string(), first.path.string()));
}

void refuse_overlaps_and_gaps(const std::vector<Shard>& shards, const sweep::Spec& merged) {
    const auto whole_text = shards.front().reader.provenance("shard_of");
    const auto whole = whole_text.empty() ? merged : sweep::from_json(whole_text);
    const auto missing = [](std::uint64_t first, std::uint64_t last, const std::string& where) {
        throw FileError(fmt::format("{} are in no shard: {}", seeds(first, last), where));
    };
    if (shards.front().first() > whole.first_seed)
        missing(whole.first_seed, shards.front().first() - 1,
                fmt::format("{} is the first", shards.front().path.string()));
    for (std::size_t i = 1; i < shards.size(); ++i) {
        const auto& before = shards[i - 1];
        const auto& shard = shards[i];
        if (shard.first() <= before.last())
            throw FileError(fmt::format("{} and {} both have {}", before.path.string(), shard.path.string(),
                                        seeds(shard.first(), std::min(before.last(), shard.last()))));
        if (shard.first() > before.last() + 1)
            missing(before.last() + 1, shard.first() - 1,
                    fmt::format("between {} and {}", before.path.string(), shard.path.string()));
    }
    const auto end = whole.first_seed + (whole.seeds - 1);
    if (shards.back().last() < end)
        missing(shards.back().last() + 1, end, fmt::format("{} is the last", shards.back().path.string()));
}

// Where and with what: what all shards agree on, else all that they say.
io::Provenance provenance_of(const std::vector<Shard>& shards) {
    const auto common = [&](const char* name) {
        std::vector<std::string> values;
        for (const auto& shard : shards)
            if (const auto value = shard.reader.provenance(name);
                std::find(values.begin(), values.end(), value) == values.end())
                values.push_back(value);
        std::string text;
        for (const auto& value : values) text += (text.empty() ? "" : ", ") + value;
        return text;
    };
    io::Provenance provenance;
    provenance.version = common("version");
    provenance.git_revision = common("git_revision");
    provenance.host = common("host");
    provenance.mpi = common("mpi");
    provenance.blas = common("blas");
    provenance.blas_core = common("blas_core");
    provenance.blas_core_chosen_by = common("blas_core_chosen_by");
    for (const auto& shard : shards)
        provenance.merged_from +=
            (provenance.merged_from.empty() ? "" : ", ") + shard.path.filename().string();
    return provenance;
}

// That shards differ in more than their seeds.
void tell_different_kernels(const sweep::Spec& spec, const std::string& cores) {
    if (spec.engine == sweep::EngineKind::dense && cores.find(", ") != std::string::npos)
        print_error(fmt::format(
            "shards were computed with different kernels of OpenBLAS ({}): rows differ in their last bits",
            cores));
}

// A cell's networks are neighbours in every table, its shards' in the order of their seeds.
void copy_rows(std::vector<Shard>& shards, const sweep::Spec& merged, io::SweepFile& file) {
    const std::uint64_t rates = merged.eta.size();
    const std::uint64_t at_once = std::max<std::uint64_t>(io::rows_at_once / rates, 1);
    std::vector<sweep::TrialRow> rows;
    for (std::uint64_t cell = 0; cell < merged.width.size() * merged.depth.size(); ++cell)
        for (auto& shard : shards) {
            const auto count = shard.spec().seeds;
            for (std::uint64_t i = 0; i < count; i += at_once) {
                const auto from = cell * count + i;
                const auto to = cell * merged.seeds + (shard.first() - merged.first_seed) + i;
                const auto networks = std::min(at_once, count - i);
                rows.resize(networks * rates);
                shard.reader.read_rows(from * rates, rows);
                if (merged.profile)
                    for (std::uint64_t k = 0; k < networks; ++k)
                        file.write_profile(to + k, shard.reader.read_profile(from + k));
                file.write_rows(to * rates, rows);
            }
        }
}

} // namespace

ExitCode merge_command(const Arguments& arguments) {
    const auto options = parse_merge(arguments);
    if (!options) return ExitCode::done;
    std::vector<Shard> shards;
    for (const auto& path : options->shards) {
        std::error_code ignored;
        if (fs::equivalent(path, options->output, ignored))
            throw UsageError(fmt::format("output: {} is itself one of the shards", path.string()));
        for (const auto& other : shards)
            if (fs::equivalent(path, other.path, ignored))
                throw UsageError(fmt::format("{} is given twice", path.string()));
        shards.push_back({path, io::SweepReader(path)});
    }
    std::sort(shards.begin(), shards.end(),
              [](const Shard& a, const Shard& b) { return a.first() < b.first(); });
    refuse_strangers(shards);
    auto merged = shards.front().spec();
    merged.seeds = shards.back().last() - merged.first_seed + 1;
    refuse_overlaps_and_gaps(shards, merged);
    bool failed = false;
    for (auto& shard : shards) failed = refuse_unfinished(shard) || failed;
    sweep::validate(merged);
    const auto provenance = provenance_of(shards);
    auto file = io::SweepFile::create(options->output, merged, provenance, options->overwrite);
    tell_different_kernels(merged, provenance.blas_core);
    copy_rows(shards, merged, file);
    file.mark_complete();
    write_summary(fmt::format("{}: {} networks, {} rows of {} shards\n", options->output.string(),
                              merged.networks(), merged.rows(), shards.size()));
    return failed ? ExitCode::failed_trials : ExitCode::done;
}

} // namespace etastar::app

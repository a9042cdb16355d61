#include "etastar/plan/plan.hpp"

#include "etastar/analysis/allocation.hpp"
#include "etastar/analysis/prediction.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/host.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/quantity.hpp"
#include "etastar/trial/kind.hpp"

#include "../json.hpp"
#include "rounds.hpp"
#include "words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

namespace etastar::app {
namespace {

// The 95 % intervals to come.
std::string show_prediction(const analysis::Prediction& prediction) {
    std::string out;
    const auto exponent = [&](const char* what, const std::optional<double>& half_width) {
        if (half_width) out += fmt::format("{:<16} +- {:.2g}\n", what, *half_width);
    };
    exponent("depth exponent", prediction.depth_exponent);
    exponent("width exponent", prediction.width_exponent);
    for (const auto& [width, slopes] : prediction.widths) {
        std::string line;
        for (const auto& slope : slopes)
            line += fmt::format("{}{} -> {}: +- {:.2g}", line.empty() ? "" : ", ", slope.depth,
                                slope.next_depth, slope.half_width);
        out += fmt::format("{:<16} width {}: {}\n", "local slopes", width, line);
    }
    if (!out.empty())
        out += fmt::format(
            "{:<16} half of the 95 % intervals of `fit`, linear criterion; the finite one from the same "
            "variance, less where control variates help\n",
            "");
    return out;
}

engine::EngineKind other_engine(const sweep::Spec& spec) {
    using engine::EngineKind;
    return spec.engine == EngineKind::dense ? EngineKind::implicit : EngineKind::dense;
}

double work_of(const plan::Plan& plan) {
    double seconds = 0;
    for (const auto& cell : plan.cells())
        seconds += cell.cost.seconds * static_cast<double>(plan.spec().seeds);
    return seconds;
}

// What the other engine would take; none where there is no choice.
std::optional<double> work_of_other_engine(const plan::Plan& plan, const trial::Kind& kind,
                                           std::size_t weight_budget) {
    auto spec = plan.spec();
    spec.engine = other_engine(spec);
    if (!has_engine(spec, spec.engine)) return std::nullopt;
    plan::Plan alternative(spec, plan.etas());
    alternative.price([&](const plan::Cell& cell) { return kind.cost(spec, cell, weight_budget); });
    return work_of(alternative);
}

// What stands under the output's name.
struct OutputState {
    std::string file;
    bool exists = false;
    bool same = false;               // it is of this sweep,
    std::optional<io::Tally> tally;  // of which so much is done,
    std::optional<double> work_left; // and so many seconds on one core are left
    std::string what;                // the rest in words
};

OutputState state_of(const SweepOptions& options, const plan::Plan& plan) {
    OutputState state;
    state.file = options.output.string();
    std::error_code ignored;
    state.exists = std::filesystem::exists(std::filesystem::symlink_status(options.output, ignored));
    if (!state.exists) {
        state.what = "does not exist";
        return state;
    }
    try {
        io::SweepReader reader(options.output);
        std::string fields;
        for (const auto& difference : sweep::differences(plan.spec(), reader.plan().spec()))
            fields += (fields.empty() ? "" : ", ") + difference.field;
        if (!fields.empty()) {
            state.what = fmt::format("holds another sweep, which differs in {}", fields);
            return state;
        }
        state.same = true;
        state.tally = reader.tally();
        state.work_left = 0;
        for (const auto network : state.tally->left) *state.work_left += plan.cell_of(network).cost.seconds;
        state.what = fmt::format("{} of {} networks finished", state.tally->finished, plan.networks());
        if (state.tally->failed > 0) state.what += fmt::format(", {} failed", state.tally->failed);
        if (!state.tally->left.empty())
            state.what +=
                fmt::format("; {} on one core left, --resume continues", show_duration(*state.work_left));
    } catch (const FileError& error) {
        state.what = error.what();
        if (const auto name = state.file + ": "; state.what.starts_with(name))
            state.what.erase(0, name.size());
    }
    return state;
}

// All that the command tells.
struct Findings {
    const SweepOptions& options;
    const trial::Kind& kind;
    plan::Plan plan;
    int ranks = 1;
    double work = 0;        // seconds on one core,
    double best = 0;        // and on all threads of all ranks at best
    plan::Cell largest;     // whose networks take longest
    std::size_t memory = 0; // bytes, of each thread
    std::optional<analysis::Prediction> prediction;
    std::optional<double> other_work;
    std::optional<OutputState> output;
};

Findings look_ahead(const SweepOptions& options, int ranks) {
    const auto& spec = options.spec;
    const auto& kind = trial::find_kind(spec.trial);
    Findings found{
        options, kind, plan::Plan(spec) /* refuses what the sweep would refuse */, ranks, 0, 0, {}, 0, {},
        {},      {}};
    auto& plan = found.plan;
    plan.price([&](const plan::Cell& cell) { return kind.cost(spec, cell, options.weight_budget); });
    const auto& cells = plan.cells();
    found.work = work_of(plan);
    found.largest = *std::max_element(cells.begin(), cells.end(), [](const auto& a, const auto& b) {
        return a.cost.seconds < b.cost.seconds;
    });
    // Threads beyond the cores take turns; of ranks nobody knows here where they are.
    const auto at_once = ranks > 1 ? options.threads : std::min(options.threads, usable_cores());
    const auto workers = static_cast<double>(at_once) * ranks;
    found.best = std::max(found.work / workers, found.largest.cost.seconds);
    found.memory = std::max_element(cells.begin(), cells.end(), [](const auto& a, const auto& b) {
                       return a.cost.bytes < b.cost.bytes;
                   })->cost.bytes;
    if (spec.trains())
        found.other_work = work_of_other_engine(plan, kind, options.weight_budget);
    else if (!spec.has_target())
        found.prediction = analysis::predict(plan);
    if (options.output_given) found.output = state_of(options, plan);
    return found;
}

std::string show_engines(const Findings& found) {
    const auto& spec = found.plan.spec();
    if (!found.other_work)
        return fmt::format("{}, the only one for {}", name_of(spec.engine), optimizer_name(spec));
    const auto other = name_of(other_engine(spec));
    return fmt::format(
        "{}; the {} engine would take {}{}", name_of(spec.engine), other, show_duration(*found.other_work),
        *found.other_work < found.work ? fmt::format(": --engine {} is cheaper here", other) : "");
}

std::string plan_report(const Findings& found) {
    const auto& plan = found.plan;
    const auto& spec = plan.spec();
    std::string out;
    const auto line = [&](const char* what, const std::string& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    line("networks",
         fmt::format("{}{} ({} widths x {} depths x {} seeds)", spec.has_target() ? "at most " : "",
                     plan.networks(), spec.width.size(), spec.depth.size(), spec.seeds));
    line("rows", fmt::format("{} ({} rates a network)", plan.rows(), plan.rates()));
    if (spec.trains()) line("training", describe_training(spec));
    if (!plan.unit_theory().empty())
        line("unit of rates", fmt::format("eta*_lin of each cell, by {}", plan.unit_theory()));
    line("file size", show_bytes(static_cast<double>(io::file_bytes(spec, found.kind))));
    const auto threads = found.options.threads;
    const auto memory = static_cast<double>(found.memory);
    line("memory per rank",
         show_bytes(static_cast<double>(threads) * memory)
             + (threads == 1 ? "" : fmt::format(" ({} threads, {} each)", threads, show_bytes(memory))));
    line("work", fmt::format("{} on one core, at best {} on {}", show_duration(found.work),
                             show_duration(found.best), show_workers(found.ranks, threads)));
    if (!found.options.why_fewer_threads.empty()) line("threads", found.options.why_fewer_threads);
    line("largest network", fmt::format("width {}, depth {}: {}", found.largest.width, found.largest.depth,
                                        show_duration(found.largest.cost.seconds)));
    if (spec.has_target()) out += show_target(plan);
    if (spec.trains())
        line("engine", show_engines(found));
    else if (found.prediction)
        out += show_prediction(*found.prediction);
    if (found.output)
        line("output", shown(fmt::format("{}: {}", found.output->file, found.output->what), 400));
    line("spec", to_json(spec));
    return out;
}

Json plan_tree(const analysis::Prediction& prediction) {
    Json tree = {{"depth_exponent", number(prediction.depth_exponent)},
                 {"width_exponent", number(prediction.width_exponent)},
                 {"local_slopes", Json::array()}};
    for (const auto& [width, slopes] : prediction.widths)
        for (const auto& slope : slopes)
            tree["local_slopes"].push_back({{"width", width},
                                            {"depth", {slope.depth, slope.next_depth}},
                                            {"half_width", number(slope.half_width)}});
    return tree;
}

Json plan_tree_of_target(const plan::Plan& plan) {
    Json tree = {{"first_round", analysis::total(analysis::Allocation(plan).first_round())},
                 {"expected", nullptr}};
    if (const auto forecast = analysis::forecast(plan))
        tree["expected"] = {
            {"reached", forecast->verdict == analysis::Verdict::reached},
            {"networks", analysis::total(forecast->networks)},
            {"rounds", forecast->rounds},
            {"half_width", number(forecast->half_width)},
            {"seeds_needed", forecast->seeds_needed ? Json(*forecast->seeds_needed) : Json(nullptr)}};
    return tree;
}

Json plan_tree(const OutputState& state) {
    Json tree = {{"file", state.file},
                 {"exists", state.exists},
                 {"same_sweep", state.same},
                 {"state", shown(state.what, 4096)}};
    tree["finished"] = state.tally ? Json(state.tally->finished) : Json(nullptr);
    tree["failed"] = state.tally ? Json(state.tally->failed) : Json(nullptr);
    tree["pending"] = state.tally ? Json(state.tally->pending) : Json(nullptr);
    tree["work_left_seconds"] = number(state.work_left);
    return tree;
}

Json plan_tree(const Findings& found) {
    const auto& plan = found.plan;
    const auto& spec = plan.spec();
    const auto text = to_json(spec);
    Json tree = {{"version", version()},
                 {"sweep", sweep_in_words(spec)},
                 {"spec", Json::parse(text)},
                 {"spec_hash", sweep::hash(text)},
                 {"networks", plan.networks()},
                 {"rows", plan.rows()},
                 {"unit_theory", plan.unit_theory().empty() ? Json(nullptr) : Json(plan.unit_theory())},
                 {"file_bytes", io::file_bytes(spec, found.kind)},
                 {"memory_per_rank_bytes", found.options.threads * found.memory},
                 {"work_seconds", number(found.work)},
                 {"ranks", found.ranks},
                 {"threads", found.options.threads},
                 {"at_best_seconds", number(found.best)},
                 {"largest_network",
                  {{"width", found.largest.width},
                   {"depth", found.largest.depth},
                   {"seconds", number(found.largest.cost.seconds)}}},
                 {"cells", Json::array()}};
    for (const auto& cell : plan.cells())
        tree["cells"].push_back({{"width", cell.width},
                                 {"depth", cell.depth},
                                 {"eta", cell.etas},
                                 {"network_seconds", number(cell.cost.seconds)},
                                 {"memory_bytes", cell.cost.bytes}});
    tree["prediction"] = found.prediction ? plan_tree(*found.prediction) : Json(nullptr);
    tree["other_engine"] =
        found.other_work
            ? Json({{"engine", name_of(other_engine(spec))}, {"work_seconds", number(*found.other_work)}})
            : Json(nullptr);
    tree["target"] = spec.has_target() ? plan_tree_of_target(plan) : Json(nullptr);
    tree["output"] = found.output ? plan_tree(*found.output) : Json(nullptr);
    return tree;
}

} // namespace

ExitCode plan_command(const Arguments& arguments, int ranks) {
    auto options = parse_sweep("plan", arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    options->complete(*options);
    const auto found = look_ahead(*options, ranks);
    // JSON on standard output is all that is there.
    if (options->json != "-") write_document("-", plan_report(found));
    if (!options->json.empty()) write_document(options->json, dumped(plan_tree(found), 2) + "\n");
    return ExitCode::done;
}

} // namespace etastar::app

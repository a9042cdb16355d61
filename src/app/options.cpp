#include "etastar/app/options.hpp"

#include "etastar/analysis/allocation.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/command_line/duration.hpp"
#include "etastar/command_line/parser.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/error.hpp"
#include "etastar/io/dataset.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/parallel/mpi.hpp"
#include "etastar/plan/shards.hpp"
#include "etastar/quantity.hpp"
#include "etastar/sweep/fields.hpp"
#include "etastar/sweep/list.hpp"
#include "etastar/trial/kind.hpp"

#include "threads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <regex>
#include <system_error>

namespace etastar::app {

using command_line::Parser;

namespace {

constexpr const char* list_help =
    "A LIST is 64,128,256 or a range: 4:64:x2 (geometric steps), 0.01:10:log16 or 1:9:lin5 (N "
    "points, ends included).\n";
constexpr const char* json_help = "write JSON to this file, - or nothing for standard output";

// --threshold, once or more often, into a list in the order given.
void add_thresholds(Parser& parser, std::vector<double>& thresholds) {
    parser.repeated("threshold", "bound c on E dz^2; repeatable; default 1", [&](const std::string& text) {
        const double value = sweep::parse_positive_real("threshold", text);
        if (std::find(thresholds.begin(), thresholds.end(), value) == thresholds.end())
            thresholds.push_back(value);
    });
}

// Seconds; of a number without a unit, too.
std::optional<double> read_interval(const std::string& text) {
    const auto bare = text.find_first_not_of("0123456789.") == std::string::npos;
    return command_line::read_duration(bare ? text + "s" : text);
}

// Bytes, of a number of MiB.
std::size_t parse_budget(const std::string& value) {
    const auto mebibytes = sweep::parse_count("weight-budget", value, true);
    if (mebibytes > (std::uint64_t{1} << 40))
        throw UsageError(
            fmt::format("weight-budget: {} MiB is more than there is; at most 1099511627776", mebibytes));
    return mebibytes * command_line::mebibyte;
}

std::size_t parse_threads(const std::string& value) {
    constexpr std::uint64_t most = 1024;
    const auto threads = sweep::parse_count("threads", value);
    if (threads > most)
        throw UsageError(
            fmt::format("threads: {} are more than a process may have; at most {}", threads, most));
    return threads;
}

// I and N of "I/N".
std::pair<std::uint64_t, std::uint64_t> parse_shard(const std::string& value) {
    static const std::regex pattern("(\\d{1,18})/(\\d{1,18})");
    std::smatch match;
    if (!std::regex_match(value, match, pattern))
        throw UsageError(fmt::format("shard: {} is not I/N, such as 3/16", in_quotes(value)));
    return {std::stoull(match[1].str()), std::stoull(match[2].str())};
}

// Makes the spec that of shard I of N.
void take_shard(SweepOptions& options, const std::string& value) {
    const auto [index, count] = parse_shard(value);
    options.shard_of = options.spec;
    options.spec = plan::shard(*options.shard_of, index, count);
    options.shard = fmt::format("{}/{}", index, count);
}

// What the result file says that it is of; `shard` as given, which must be the file's.
void take_spec_of_file(SweepOptions& options, const std::string& shard) {
    const auto name = options.output.string();
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(options.output, error)))
        throw FileError(
            fmt::format("{}: does not exist: there is nothing to resume; options of the grid, or no "
                        "--resume, begin a sweep",
                        name));
    const io::SweepReader reader(options.output);
    const auto found = reader.provenance("shard");
    if (!shard.empty()) {
        const auto [index, count] = parse_shard(shard);
        if (fmt::format("{}/{}", index, count) != found)
            throw FileError(fmt::format("{}: holds {}; shard {} is asked for", name,
                                        found.empty() ? "no shard" : "shard " + found, shard));
    }
    options.spec = reader.plan().spec();
}

void refuse_standard_output(const std::string& output) {
    if (output == "-")
        throw UsageError("output: '-' is standard output, which cannot hold a table; ./- is a file");
}

// A dense network beyond this many seconds is a mistake where the implicit engine takes less.
constexpr double longest_dense_network = 3600;

void refuse_endless(const sweep::Spec& spec, std::size_t weight_budget) {
    if (spec.engine != engine::EngineKind::dense || !sweep::has_engine(spec, engine::EngineKind::implicit))
        return;
    const auto width = spec.width.back();
    const auto depth = spec.depth.back();
    const auto seconds = [&](engine::EngineKind engine) {
        auto other = spec;
        other.engine = engine;
        return trial::find_kind(spec.trial).cost(other, {width, depth, {}, {}}, weight_budget).seconds;
    };
    const double dense = seconds(spec.engine);
    if (dense > longest_dense_network && dense > seconds(engine::EngineKind::implicit))
        throw UsageError(fmt::format(
            "engine: 'dense' takes about {} for one network of width {}, depth {} ({:.2g} weights); "
            "implicit has the same law in O(n) per layer",
            show_duration(dense), width, depth, static_cast<double>(width) * width * (depth - 1.0)));
}

// That of the command line: a source by name, or a file.
void take_data(SweepOptions& options, const sweep::Field& field, const std::string& text) {
    const auto& sources = Names<model::DataSource>::table;
    const bool named = std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
        return source.first == text && source.second != model::DataSource::file;
    });
    if (named) {
        field.parse(options.spec, field.option(), text);
    } else {
        command_line::refuse_no_name(field.option(), text);
        options.data = text;
    }
}

std::vector<std::string> source_names() {
    std::vector<std::string> names;
    for (const auto& [name, source] : Names<model::DataSource>::table)
        if (source != model::DataSource::file) names.emplace_back(name);
    return names;
}

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const auto* kind : trial::kinds()) names.emplace_back(kind->name());
    return names;
}

// The examples of a file, as many as were asked for; what was not given is the file's.
void load_data(SweepOptions& options, bool samples_given, bool input_dim_given) {
    std::error_code error;
    if (!options.data.has_extension() && !options.data.has_parent_path()
        && !std::filesystem::exists(std::filesystem::symlink_status(options.data, error)))
        throw UsageError(
            fmt::format("data: {} is not one of random, linear or FILE.h5, and no file has that name",
                        in_quotes(options.data.string())));
    auto& data = options.spec.training.data;
    auto table =
        samples_given ? io::read_dataset(options.data, data.samples) : io::read_dataset(options.data);
    auto& input_dim = options.spec.model.input_dim;
    const auto name = in_quotes(options.data.string());
    if (input_dim_given && input_dim != table.input_dim)
        throw UsageError(fmt::format("input-dim: {} is not that of the data: {} has {}", input_dim, name,
                                     table.input_dim));
    input_dim = table.input_dim;
    if (!samples_given) data.samples = table.samples;
    if (data.samples > table.samples)
        throw UsageError(
            fmt::format("samples: {} are more than {} has, which is {}", data.samples, name, table.samples));
    data.source = model::DataSource::file;
    data.digest = sweep::digest(table);
    data.table = std::make_shared<const model::Dataset>(std::move(table));
}

} // namespace

std::optional<SweepOptions> parse_sweep(const std::string& command, const Arguments& arguments) {
    const bool runs = command == "sweep";
    const auto parser = std::make_shared<Parser>(
        fmt::format("usage: {}etastar {} [options]\n\n{}\n{}", runs ? "[mpirun -n N] " : "", command,
                    runs ? "Measures every network of the grid width x depth x seeds at every rate and "
                           "writes one HDF5 table.\n"
                           "Continues one, `etastar sweep --resume --output FILE`, without options of the "
                           "grid as its file says."
                         : "Shows the networks, rows, file size, memory and work of a sweep, and what of "
                           "--output is done; runs "
                           "nothing.",
                    list_help));
    SweepOptions options;
    std::string output = "etastar.h5";
    std::string shard;
    for (const auto& field : sweep::fields()) {
        if (field.key == "data")
            parser->option(field.option(), std::string(field.standard), field.help,
                           [&](const std::string& text) { take_data(options, field, text); });
        else
            parser->field(field, options.spec);
    }
    parser->choices("trial", kind_names());
    parser->choices_or_file("data", source_names());
    parser->option(
        "threads",
        "networks at a time of this process, or of each rank; default: one for each core that it may use, 1 "
        "for a rank of mpirun or srun",
        [&](const std::string& text) {
            options.threads = parse_threads(text);
            options.threads_given = true;
        });
    parser->option(
        "weight-budget",
        fmt::format(
            "MiB per rank, its threads together, for keeping networks' weights between passes; what does not "
            "fit "
            "is drawn again; default: {} for each thread, or for several their part of half of the memory",
            engine::default_weight_budget / command_line::mebibyte),
        [&](const std::string& text) { options.budget_of_rank = parse_budget(text); });
    parser->option("shard", "I/N: the I-th of N contiguous parts of the seeds; `etastar merge` joins them",
                   [&](const std::string& text) { shard = text; });
    parser->file("output", "result file", output);
    parser->flag(
        "resume",
        "run what is left of the result file: of its own grid where no option of the grid is given, else "
        "of this one, whose file is created where there is none",
        options.resume);
    parser->flag("overwrite", "replace an existing result file", options.overwrite);
    parser->option(
        "time-limit",
        "90s, 45m, 3h50m or 2:00:00: stop with exit code 4 before this time is over; --resume continues",
        [&](const std::string& text) {
            options.time_limit = command_line::parse_duration("time-limit", text);
        });
    if (!runs) parser->json(json_help, options.json);
    bool quiet = false;
    bool verbose = false;
    parser->flag("quiet,q", "sweep: print errors alone", quiet);
    parser->flag("verbose,v",
                 "sweep: also tell the ranks of each host, and each width and depth that is done", verbose);
    parser->accept_config();
    if (!parser->parse(arguments)) return std::nullopt;

    const auto& fields = sweep::fields();
    const bool grid_given = std::any_of(fields.begin(), fields.end(),
                                        [&](const auto& field) { return parser->given(field.option()); });
    // A configuration without a grid begins the sweep of the defaults, as it does without --resume.
    std::error_code error;
    options.of_file = options.resume && !grid_given
                      && (parser->config().empty()
                          || std::filesystem::exists(std::filesystem::symlink_status(output, error)));
    options.output_given = parser->given("output");
    parser->explain_origin([&] {
        refuse_standard_output(output);
        if (options.resume && options.overwrite)
            throw UsageError("resume: contradicts --overwrite: a file is either continued or replaced");
        if (quiet && verbose) throw UsageError("quiet: contradicts --verbose");
        trial::find_kind(options.spec.trial);
        for (const auto& field : fields)
            if (const auto why = field.absence(options.spec); !why.empty() && parser->given(field.option()))
                throw UsageError(fmt::format("{}: {}", field.option(), why));
    });
    options.verbosity = quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal;
    options.output = output;
    options.config = parser->config();
    options.complete = [parser, shard](SweepOptions& whole) {
        parser->explain_origin([&] {
            for (const auto& input : {whole.config, whole.data}) {
                refuse_input("output", whole.output, input);
                refuse_input("json", whole.json, input);
            }
            if (whole.of_file) return take_spec_of_file(whole, shard);
            if (!whole.data.empty()) load_data(whole, parser->given("samples"), parser->given("input-dim"));
            sweep::validate(whole.spec);
            if (whole.spec.has_target()) {
                analysis::check_target(whole.spec);
                if (!shard.empty())
                    throw UsageError(
                        "shard: contradicts --target-ci, whose rounds look at all seeds together");
            }
            if (!shard.empty()) take_shard(whole, shard);
            refuse_endless(whole.spec, whole.budget_of_rank.value_or(engine::default_weight_budget));
        });
        settle_threads(whole, parallel::launched_by_mpi());
    };
    return options;
}

std::optional<MergeOptions> parse_merge(const Arguments& arguments) {
    Parser parser(
        "usage: etastar merge SHARD... --output FILE [options]\n\nJoins the finished shards of one sweep, "
        "see `etastar sweep --shard`, into one table: the same rows as\nof the sweep run in one go. Refuses "
        "shards that overlap, leave a gap, are unfinished or belong to\ndifferent sweeps.\n");
    MergeOptions options;
    std::string output;
    parser.file("output", "result file", output);
    parser.flag("overwrite", "replace an existing result file", options.overwrite);
    parser.accept_files(true);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    if (output.empty()) throw UsageError("output: no file to merge into is given; see --help");
    refuse_standard_output(output);
    options.shards.assign(files.begin(), files.end());
    options.output = output;
    return options;
}

std::optional<StatusOptions> parse_status(const Arguments& arguments) {
    Parser parser("usage: etastar status FILE [options]\n\nWhich sweep a file is of, what of it has been "
                  "done, and, while it "
                  "is being written, the rate and the\ntime left. Exit code: 0 when it is finished, 4 when "
                  "networks are left, 5 "
                  "when only failed ones\nare, 3 when the file cannot be read.\n");
    StatusOptions options;
    parser.json(json_help, options.json);
    parser.optional(
        "watch", "TIME", "10s",
        "look again after this time, such as 5 (seconds), 30s or 2m, later where a look at a large table "
        "takes "
        "long, until the sweep is finished",
        [](const std::string& next) { return read_interval(next).has_value(); },
        [&](const std::string& text) {
            options.watch = read_interval(text);
            if (!options.watch)
                throw UsageError(
                    fmt::format("watch: {} is not a time such as 5, 30s or 2m", in_quotes(text)));
        });
    parser.accept_files(false);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    options.file = files.front();
    return options;
}

namespace {

std::string criteria_help() {
    std::string choices;
    for (const auto* entry : analysis::estimators())
        choices += fmt::format("{}{} ({})", choices.empty() ? "" : ", ", entry->name(), entry->description());
    return choices + "; default: all that the file's trials have";
}

// A:B is a range, all else a LIST.
std::vector<analysis::Range> parse_ranges(const std::string& option, const std::string& text) {
    std::vector<analysis::Range> ranges;
    const auto colon = text.find(':');
    if (colon != std::string::npos && text.find_first_of(":,", colon + 1) == std::string::npos) {
        const auto first = sweep::parse_integer(option, text.substr(0, colon));
        const auto last = sweep::parse_integer(option, text.substr(colon + 1));
        if (first > last)
            throw UsageError(
                fmt::format("{}: {} descends; A:B goes from A up to B", option, in_quotes(text)));
        ranges.push_back({first, last});
    } else {
        for (const auto value : sweep::parse_integer_list(option, text)) ranges.push_back({value, value});
    }
    return ranges;
}

// What of a sweep is fitted, and how.
void add_fit_options(Parser& parser, analysis::FitOptions& fit) {
    parser.option("criterion", criteria_help(),
                  [&](const std::string& text) { fit.criteria = {&analysis::estimator(text)}; });
    std::vector<std::string> criteria;
    for (const auto* entry : analysis::estimators()) criteria.emplace_back(entry->name());
    parser.choices("criterion", criteria);
    add_thresholds(parser, fit.thresholds);
    parser.option("step", "t, after which losses are looked at, from 1 on; default: the last step",
                  [&](const std::string& text) { fit.step = sweep::parse_integer("step", text); });
    parser.option(
        "fraction",
        "Q: up to 1 that of converges and reaches (default 0.01), from 1 on that of stable (default 4)",
        [&](const std::string& text) { fit.fraction = sweep::parse_positive_real("fraction", text); });
    parser.option("layer", "last", "last, max or mean over hidden layers, or output",
                  [&](const std::string& text) { fit.layer = parse_name<theory::Layer>(text); });
    parser.choices<theory::Layer>("layer");
    parser.flag("relative", "thresholds are multiples of E z^2 of the same layers", fit.relative);
    parser.option("statistic", "mean", "mean or median of the networks: what must not exceed the threshold",
                  [&](const std::string& text) { fit.statistic = parse_name<analysis::Average>(text); });
    parser.choices<analysis::Average>("statistic");
    parser.option("width", "only these widths: a LIST, or A:B for all from A to B",
                  [&](const std::string& text) { fit.widths = parse_ranges("width", text); });
    parser.option("depth", "only these depths",
                  [&](const std::string& text) { fit.depths = parse_ranges("depth", text); });
    parser.option("resamples", "2000", "bootstrap resamples behind an interval that needs them",
                  [&](const std::string& text) {
                      fit.resamples = sweep::parse_count("resamples", text);
                      if (fit.resamples < 100 || fit.resamples > 10'000'000)
                          throw UsageError(
                              fmt::format("resamples: {} is not between 100 and 10000000", fit.resamples));
                  });
    parser.option("seed", "0", "seed of the resampling",
                  [&](const std::string& text) { fit.seed = sweep::parse_count("seed", text, true); });
}

} // namespace

std::optional<FitCommandOptions> parse_fit(const Arguments& arguments) {
    Parser parser(
        "usage: etastar fit FILE [options]\n\nEstimates eta* per (width, depth) and the exponents "
        "of its power law, "
        "of a first step beside\nexact theory. --threshold, --layer, --relative and --statistic are of "
        "a first step, --step and\n--fraction of training.\n");
    FitCommandOptions options;
    add_fit_options(parser, options.fit);
    parser.flag("all", "show every line of long tables", options.all);
    parser.json(json_help, options.json);
    parser.file("csv", "write the cells as CSV to this file, - for standard output", options.csv);
    parser.file("latex", "write them as LaTeX tables (booktabs) to this file, - for standard output",
                options.latex);
    parser.accept_files(false);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    options.file = files.front();
    analysis::check(options.fit);
    options.fit.curves = !options.json.empty();
    return options;
}

std::optional<ReportOptions> parse_report(const Arguments& arguments) {
    Parser parser(
        "usage: etastar report FILE [-o FILE.html] [options]\n\nWrites what a sweep says as one page that "
        "needs "
        "nothing else: the answer in words with intervals,\nfigures, cells, warnings, and the commands that "
        "reproduce it. The options are those of `etastar fit`;\nthe file may be of a sweep that still "
        "runs.\n");
    ReportOptions options;
    parser.file("output,o", "the page, - for standard output; default: FILE with the ending .html",
                options.output);
    add_fit_options(parser, options.fit);
    parser.accept_files(false);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    options.file = files.front();
    if (options.output.empty())
        options.output = std::filesystem::path(options.file).replace_extension(".html").string();
    analysis::check(options.fit);
    options.fit.curves = true;
    return options;
}

std::optional<TheoryOptions> parse_theory(const Arguments& arguments) {
    using theory::Criterion;
    Parser parser(fmt::format("usage: etastar theory [options]\n\nThe largest rate by theory: to linear "
                              "order exact at finite width, "
                              "beside its infinite-width limit; of\na whole step at infinite width.\n{}",
                              list_help));
    TheoryOptions options;
    auto& grid = options.grid;
    std::vector<double> thresholds;
    constexpr const char* widths = "128:4096:x2";
    const sweep::Field* width = nullptr;
    for (const auto& field : sweep::fields()) {
        if (field.key == "width") {
            width = &field;
            parser.option(
                field.option(),
                fmt::format("{}; default {}, for --criterion finite none: the limit", field.help, widths),
                [&](const std::string& text) { field.parse(grid, field.option(), text); });
        }
        if (field.key == "depth") parser.field(field, grid, "2:128:x2");
        if (field.of_model) parser.field(field, grid);
    }
    parser.option("criterion", "linear", "linear (first order in eta) or finite (the whole step)",
                  [&](const std::string& text) { options.criterion = parse_name<Criterion>(text); });
    parser.choices<Criterion>("criterion");
    add_thresholds(parser, thresholds);
    parser.flag("relative",
                "thresholds in units of E z^2, the mean square of the pre-activations that change",
                options.relative);
    parser.option("layer", "last", "last, mean or (finite alone) max over hidden layers, or output",
                  [&](const std::string& text) { options.layer = parse_name<theory::Layer>(text); });
    parser.choices<theory::Layer>("layer");
    parser.option("eta", "LIST of absolute rates: the step's changes at infinite width, too",
                  [&](const std::string& text) { options.etas = sweep::parse_real_list("eta", text); });
    parser.json(json_help, options.json);
    if (!parser.parse(arguments)) return std::nullopt;
    if (!thresholds.empty()) options.thresholds = thresholds;
    if (options.criterion == Criterion::linear) {
        if (options.layer == theory::Layer::max)
            throw UsageError(
                "layer: 'max' has no exact theory: the mean of a maximum does not close; use last, "
                "mean or output, or --criterion finite");
        if (grid.width.empty()) width->parse(grid, width->option(), widths);
    } else if (grid.width.empty() && grid.model.parametrization == model::Parametrization::global) {
        throw UsageError(
            "width: under --rates global the limit depends on input-dim / width; give the widths");
    }
    if (options.relative && options.layer == theory::Layer::output)
        throw UsageError("relative: the output has no size to compare with; use another --layer");
    sweep::validate_optimizer(grid);
    sweep::validate_grid(grid.width.empty() ? std::vector<std::uint32_t>{1} : grid.width, grid.depth);
    return options;
}

std::optional<TransferOptions> parse_transfer(const Arguments& arguments) {
    Parser parser(
        "usage: etastar transfer --from-width N --from-depth L --from-eta E --to-width N --to-depth L "
        "[options]\n\nFrom a learning rate tuned at one width and depth to that of another network of the "
        "same "
        "model and\noptimizer: the factor by theory or, with --file, by measurement; and the learning rate "
        "and "
        "initial\nstandard deviation of every group of its parameters, also as PyTorch code.\n");
    TransferOptions options;
    const auto size = [&](const char* name, const char* help, std::uint32_t& value) {
        parser.option(name, help,
                      [name, &value](const std::string& text) { value = sweep::parse_integer(name, text); });
    };
    size("from-width", "width of the network that the rate was tuned on", options.from.width);
    size("from-depth", "its depth: number of hidden layers", options.from.depth);
    parser.option(
        "from-eta", "its base rate eta, which a group's learning rate is a multiple of",
        [&](const std::string& text) { options.eta = sweep::parse_positive_real("from-eta", text); });
    size("to-width", "width of the network that it is for", options.to.width);
    size("to-depth", "its depth", options.to.depth);
    for (const auto& field : sweep::fields())
        if (field.of_model) parser.field(field, options.model);
    parser.option("criterion", "linear", "linear (first order in eta) or finite (the whole step)",
                  [&](const std::string& text) { options.criterion = parse_name<theory::Criterion>(text); });
    parser.choices<theory::Criterion>("criterion");
    parser.option("threshold", "1", "bound c on E dz^2 of the last layer", [&](const std::string& text) {
        options.threshold = sweep::parse_positive_real("threshold", text);
    });
    std::string file;
    parser.file("file", "a sweep that has both networks: the factor is measured instead of theory's", file);
    parser.json(json_help, options.json);
    if (!parser.parse(arguments)) return std::nullopt;
    options.file = file;
    for (const auto& [name, given] : {std::pair{"from-width", options.from.width > 0},
                                      {"from-depth", options.from.depth > 0},
                                      {"from-eta", options.eta > 0},
                                      {"to-width", options.to.width > 0},
                                      {"to-depth", options.to.depth > 0}})
        if (!given) throw UsageError(fmt::format("{}: is missing; see --help", name));
    sweep::validate_optimizer(options.model);
    for (const auto& at : {options.from, options.to}) {
        sweep::validate_grid({at.width}, {at.depth});
        sweep::validate_model(options.model.model, {at.depth});
    }
    return options;
}

} // namespace etastar::app

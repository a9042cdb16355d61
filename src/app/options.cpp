#include "etastar/app/options.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/sweep/list.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

namespace etastar::app {
namespace {

namespace po = boost::program_options;

// Name under which Boost keeps what is not an option.
constexpr const char* operand = "operand";

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

auto text(std::string* out) { return po::value<std::string>(out); }

auto text(std::string* out, const std::string& standard) {
    return po::value<std::string>(out)->default_value(standard);
}

// An option without which something is not done: a script's empty variable must not leave it out.
auto optional_text(const std::string& option, std::string* out) {
    return text(out)->notifier([option](const std::string& value) {
        if (value.empty()) throw UsageError(option + ": the value is empty");
    });
}

// The system would take a NUL for the end of the name.
void refuse_no_name(const std::string& option, const std::string& name) {
    if (name.empty()) throw UsageError(option + ": the file name is empty");
    if (name.find('\0') != std::string::npos)
        throw UsageError(fmt::format("{}: {} is no file name: it has a NUL byte", option, in_quotes(name)));
}

// An option that names a file; stays as it is where the option is not given.
auto file_name(const std::string& option, std::string* out) {
    return text(out)->notifier([option](const std::string& name) { refuse_no_name(option, name); });
}

// What a configuration file may have: beyond any that is meant, and no device has an end.
constexpr std::size_t most_config_bytes = std::size_t{64} << 20;

std::string read_config_text(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    if (!file) throw UsageError(fmt::format("config: cannot open '{}'", name));
    std::string text;
    std::vector<char> buffer(1 << 16);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > most_config_bytes)
            throw UsageError(
                fmt::format("config: '{}' has more than {} MiB", name, most_config_bytes / mebibyte));
    }
    if (file.bad()) throw UsageError(fmt::format("config: cannot read '{}'", name));
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
    return text;
}

// Line of each option in a file of `name = value` lines that has been parsed, from 1.
std::map<std::string, std::size_t, std::less<>> lines_of_options(const std::string& config) {
    std::map<std::string, std::size_t, std::less<>> lines;
    std::istringstream stream(config);
    std::string line;
    for (std::size_t number = 1; std::getline(stream, line); ++number) {
        const auto begin = line.find_first_not_of(" \t");
        const auto equal = line.find('=');
        if (begin == std::string::npos || line[begin] == '#' || equal == std::string::npos || equal <= begin)
            continue;
        lines[line.substr(begin, line.find_last_not_of(" \t", equal - 1) + 1 - begin)] = number;
    }
    return lines;
}

// Command-line and configuration syntax of one command.
class Parser {
public:
    Parser(std::string usage, const std::string& caption)
        : usage_(std::move(usage)), visible_(caption, 110, 60) {}

    po::options_description_easy_init add() { return visible_.add_options(); }

    // The option is a name of a file with `name = value` lines; what the command line sets wins.
    void accept_config() { config_accepted_ = true; }

    // One FILE, or several.
    void accept_files(bool several) { most_files_ = several ? std::string::npos : 1; }

    // False when --help was asked for and printed.
    bool parse(const Arguments& arguments, std::vector<std::string>* files = nullptr) {
        // What a configuration file may set.
        const po::options_description configurable = visible_;
        if (config_accepted_)
            visible_.add_options()(
                "config", po::value<std::string>(),
                "file of `name = value` lines for the options here; the command line wins");
        visible_.add_options()("help,h", "print this help and exit");
        po::options_description all;
        all.add(visible_);
        all.add_options()(operand, po::value<std::vector<std::string>>());
        po::positional_options_description positional;
        positional.add(operand, -1);

        using namespace po::command_line_style;
        const int style = unix_style & ~allow_guessing;
        po::variables_map map;
        try {
            const auto parsed =
                po::command_line_parser(arguments).options(all).positional(positional).style(style).run();
            for (const auto& option : parsed.options)
                if (option.string_key == operand && option.position_key < 0)
                    throw UsageError(fmt::format("unrecognised option '--{}'; see --help", operand));
            po::store(parsed, map);
            if (map.count("help") > 0) {
                write_document("-", help());
                return false;
            }
            if (map.count("config") > 0) read_config(map["config"].as<std::string>(), configurable, map);
            explain_origin([&] { po::notify(map); });
        } catch (const po::error& error) {
            throw UsageError(std::string(error.what()) + "; see --help");
        }
        std::vector<std::string> operands;
        if (map.count(operand) > 0) operands = map[operand].as<std::vector<std::string>>();
        for (const auto& each : operands)
            if (most_files_ > 0) refuse_no_name("FILE", each);
        if (most_files_ > 0 && operands.empty()) throw UsageError("FILE is missing; see --help");
        if (operands.size() > most_files_)
            throw UsageError(
                fmt::format("unexpected argument {}; see --help", in_quotes(operands[most_files_])));
        if (files != nullptr) *files = std::move(operands);
        return true;
    }

    // Runs a check of values. What it says of an option that the configuration file has set begins with where that is.
    template <class Check>
    void explain_origin(Check check) const {
        try {
            check();
        } catch (const UsageError& error) {
            const std::string_view message = error.what();
            const auto line = config_lines_.find(message.substr(0, message.find(':')));
            if (line == config_lines_.end()) throw;
            throw UsageError(fmt::format("config: {}:{}: {}", config_, line->second, message));
        }
    }

private:
    std::string help() const {
        std::ostringstream out;
        out << usage_ << "\n" << visible_;
        return out.str();
    }

    void read_config(const std::string& name, const po::options_description& options,
                     po::variables_map& map) {
        refuse_no_name("config", name);
        const auto config = read_config_text(name);
        try {
            std::istringstream stream(config);
            const auto parsed = po::parse_config_file(stream, options);
            config_ = name;
            config_lines_ = lines_of_options(config);
            for (const auto& [option, value] : map)
                if (!value.defaulted()) config_lines_.erase(option);
            po::store(parsed, map);
        } catch (const po::error& error) {
            throw UsageError(fmt::format("config: {}: {}", name, error.what()));
        }
    }

    std::string usage_;
    po::options_description visible_;
    std::string config_;
    std::map<std::string, std::size_t, std::less<>>
        config_lines_; // of options that the command line leaves to it
    bool config_accepted_ = false;
    std::size_t most_files_ = 0;
};

constexpr const char* list_help =
    "A LIST is 64,128,256 or a range: 4:64:x2 (geometric steps), 0.01:10:log16 or 1:9:lin5 (N "
    "points, ends included).\n";

std::uint32_t parse_dimension(const char* option, const std::string& value) {
    const auto list = sweep::parse_integer_list(option, value);
    if (list.size() != 1)
        throw UsageError(fmt::format("{}: {} is not one integer", option, in_quotes(value)));
    return list.front();
}

double parse_threshold(const std::string& value) {
    const auto list = sweep::parse_real_list("threshold", value);
    if (list.size() != 1) throw UsageError(fmt::format("threshold: {} is not one number", in_quotes(value)));
    return list.front();
}

// 90s, 45m, 3h50m, 2d: in seconds.
double parse_duration(const std::string& value) {
    static const std::regex pattern("(?:(\\d{1,9})d)?(?:(\\d{1,9})h)?(?:(\\d{1,9})m)?(?:(\\d{1,9})s)?");
    constexpr double units[] = {86400, 3600, 60, 1};
    std::smatch match;
    double seconds = 0;
    if (std::regex_match(value, match, pattern))
        for (std::size_t i = 0; i < std::size(units); ++i)
            if (match[i + 1].matched) seconds += units[i] * std::stod(match[i + 1].str());
    if (!(seconds > 0))
        throw UsageError(
            fmt::format("time-limit: {} is not a duration such as 90s, 45m or 3h50m", in_quotes(value)));
    // Thirty years: clocks count nanoseconds in 63 bits.
    return std::min(seconds, 1e9);
}

// Makes the spec that of shard I of N.
void take_shard(SweepOptions& options, const std::string& value) {
    static const std::regex pattern("(\\d{1,18})/(\\d{1,18})");
    std::smatch match;
    if (!std::regex_match(value, match, pattern))
        throw UsageError(fmt::format("shard: {} is not I/N, such as 3/16", in_quotes(value)));
    const auto index = std::stoull(match[1].str());
    const auto count = std::stoull(match[2].str());
    if (index == 0 || index > count)
        throw UsageError(fmt::format("shard: '{}': there are shards 1 to {}", value, count));
    auto& spec = options.spec;
    if (count > spec.seeds)
        throw UsageError(
            fmt::format("shard: {} shards of {} seeds would leave some empty", count, spec.seeds));
    options.shard_of = spec;
    options.shard = fmt::format("{}/{}", index, count);
    // The first seeds % count shards have one seed more.
    const auto each = spec.seeds / count;
    const auto more = spec.seeds % count;
    spec.first_seed += (index - 1) * each + std::min<std::uint64_t>(index - 1, more);
    spec.seeds = each + (index <= more ? 1 : 0);
}

// A dense network beyond this many seconds is a mistake: the implicit engine does it in O(n) per layer.
constexpr double longest_dense_network = 3600;

void refuse_endless(const sweep::Spec& spec, std::size_t weight_budget) {
    if (spec.engine != sweep::EngineKind::dense) return;
    const auto width = spec.width.back();
    const auto depth = spec.depth.back();
    const double seconds = engine::estimate(spec, width, depth, weight_budget).seconds;
    if (seconds > longest_dense_network)
        throw UsageError(fmt::format(
            "engine: 'dense' takes about {} for one network of width {}, depth {} ({:.2g} weights); "
            "implicit has the same law in O(n) per layer",
            show_duration(seconds), width, depth, static_cast<double>(width) * width * (depth - 1.0)));
}

} // namespace

std::optional<SweepOptions> parse_sweep(const std::string& command, const Arguments& arguments) {
    const bool runs = command == "sweep";
    Parser parser(
        fmt::format(
            "usage: {}etastar {} [options]\n\n{}\n{}", runs ? "[mpirun -n N] " : "", command,
            runs ? "Measures every network of the grid width x depth x seeds at every rate and writes one "
                   "HDF5 table."
                 : "Shows the networks, rows, file size, memory and work of a sweep; runs nothing.",
            list_help),
        "Options");
    std::string width, depth, eta, seeds, first_seed, eta_unit, engine, input_dim, precision, train, rates,
        budget, output, shard, time_limit;
    SweepOptions options;
    parser.add()("width", text(&width, "1024:16384:x4"), "LIST of widths n")(
        "depth", text(&depth, "4:64:x2"), "LIST of depths L, the number of hidden layers, at most 16777216")(
        "eta", text(&eta, "0.05:8:log16"), "LIST of base learning rates")(
        "eta-unit", text(&eta_unit, "linear"), "absolute, or linear: multiples of the exact eta*_lin(n, L)")(
        "seeds", text(&seeds, "2000"), "networks per (width, depth)")("first-seed", text(&first_seed, "0"),
                                                                      "seed of the first")(
        "engine", text(&engine, "implicit"),
        "implicit: the same law without matrices, any width; dense: explicit weight matrices")(
        "input-dim", text(&input_dim, "64"), "input dimension n0")("precision", text(&precision, "single"),
                                                                   "single or double")(
        "train", text(&train, "all"), "layers that take the step: all, first, hidden or last")(
        "rates", text(&rates, "mup"), "mup: layer-wise rates; global: one rate for every layer")(
        "profile", po::bool_switch(&options.spec.profile), "also keep every layer's response")(
        "weight-budget", text(&budget, std::to_string(engine::default_weight_budget / mebibyte)),
        "MiB per rank for keeping a network's weights between passes; what does not fit is drawn again")(
        "shard", optional_text("shard", &shard),
        "I/N: the I-th of N contiguous parts of the seeds; `etastar merge` joins them")(
        "output", file_name("output", &output)->default_value("etastar.h5"),
        "result file")("resume", po::bool_switch(&options.resume),
                       "run what is left of an existing result file; one that does not exist is created")(
        "overwrite", po::bool_switch(&options.overwrite), "replace an existing result file")(
        "time-limit", optional_text("time-limit", &time_limit),
        "90s, 45m or 3h50m: stop with exit code 4 before this time is over; --resume continues");
    parser.accept_config();
    if (!parser.parse(arguments)) return std::nullopt;

    parser.explain_origin([&] {
        auto& spec = options.spec;
        spec.width = sweep::parse_integer_list("width", width);
        spec.depth = sweep::parse_integer_list("depth", depth);
        spec.eta = sweep::parse_real_list("eta", eta);
        spec.eta_unit = sweep::parse_name<sweep::EtaUnit>(eta_unit);
        spec.seeds = sweep::parse_count("seeds", seeds);
        spec.first_seed = sweep::parse_count("first-seed", first_seed, true);
        spec.engine = sweep::parse_name<sweep::EngineKind>(engine);
        spec.input_dim = parse_dimension("input-dim", input_dim);
        spec.precision = sweep::parse_name<sweep::Precision>(precision);
        spec.train = sweep::parse_name<network::Train>(train);
        spec.rates = sweep::parse_name<network::Rates>(rates);
        const auto budget_mib = sweep::parse_count("weight-budget", budget, true);
        if (budget_mib > (std::uint64_t{1} << 40))
            throw UsageError(fmt::format("weight-budget: {} MiB is more than there is; at most 1099511627776",
                                         budget_mib));
        options.weight_budget = budget_mib * mebibyte;
        options.output = output;
        if (options.resume && options.overwrite)
            throw UsageError("resume: contradicts --overwrite: a file is either continued or replaced");
        if (!time_limit.empty()) options.time_limit = parse_duration(time_limit);
        sweep::validate(spec);
        if (!shard.empty()) take_shard(options, shard);
        refuse_endless(spec, options.weight_budget);
    });
    return options;
}

std::optional<MergeOptions> parse_merge(const Arguments& arguments) {
    Parser parser(
        "usage: etastar merge SHARD... --output FILE [options]\n\nJoins the finished shards of one sweep, "
        "see `etastar sweep --shard`, into one table: the same rows as\nof the sweep run in one go. Refuses "
        "shards that overlap, leave a gap, are unfinished or belong to\ndifferent sweeps.\n",
        "Options");
    MergeOptions options;
    std::string output;
    parser.add()("output", file_name("output", &output), "result file")(
        "overwrite", po::bool_switch(&options.overwrite), "replace an existing result file");
    parser.accept_files(true);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    if (output.empty()) throw UsageError("output: no file to merge into is given; see --help");
    options.shards.assign(files.begin(), files.end());
    options.output = output;
    return options;
}

std::optional<std::filesystem::path> parse_status(const Arguments& arguments) {
    Parser parser("usage: etastar status FILE\n\nWhat of a sweep has been done. Exit code: 0 when it is "
                  "finished, 4 when "
                  "networks are left, 5 when\nonly failed ones are, 3 when the file cannot be read.\n",
                  "Options");
    parser.accept_files(false);
    std::vector<std::string> files;
    if (!parser.parse(arguments, &files)) return std::nullopt;
    return files.front();
}

namespace {

std::string criteria_help() {
    std::string choices;
    for (const auto* entry : analysis::estimators())
        choices += fmt::format("{}{} ({})", choices.empty() ? "" : ", ", entry->name(), entry->description());
    return choices + "; default: all";
}

} // namespace

std::optional<FitCommandOptions> parse_fit(const Arguments& arguments) {
    Parser parser("usage: etastar fit FILE [options]\n\nEstimates eta* per (width, depth) and the exponents "
                  "of its power law, "
                  "beside exact theory.\n",
                  "Options");
    FitCommandOptions options;
    std::string criterion, layer, resamples, seed;
    std::vector<std::string> files;
    std::vector<std::string> thresholds;
    parser.add()("criterion", optional_text("criterion", &criterion), criteria_help().c_str())(
        "threshold", po::value(&thresholds), "bound c on E dz^2; repeatable; default 1")(
        "layer", text(&layer, "last"), "last, max or mean over hidden layers, or output")(
        "resamples", text(&resamples, "2000"), "bootstrap resamples behind each interval")(
        "seed", text(&seed, "0"), "seed of the resampling")("json", file_name("json", &options.json),
                                                            "write JSON to this file, - for standard output");
    parser.accept_files(false);
    if (!parser.parse(arguments, &files)) return std::nullopt;
    options.file = files.front();
    if (!criterion.empty()) options.fit.criteria = {&analysis::estimator(criterion)};
    options.fit.curves = !options.json.empty();
    if (!thresholds.empty()) options.fit.thresholds.clear();
    for (const auto& threshold : thresholds) {
        const double value = parse_threshold(threshold);
        auto& list = options.fit.thresholds;
        if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
    }
    options.fit.layer = sweep::parse_name<theory::Layer>(layer);
    options.fit.resamples = sweep::parse_count("resamples", resamples);
    if (options.fit.resamples < 100 || options.fit.resamples > 10'000'000)
        throw UsageError(fmt::format("resamples: {} is not between 100 and 10000000", options.fit.resamples));
    options.fit.seed = sweep::parse_count("seed", seed, true);
    return options;
}

std::optional<TheoryOptions> parse_theory(const Arguments& arguments) {
    Parser parser(
        fmt::format(
            "usage: etastar theory [options]\n\nThe exact eta*_lin at finite width and its infinite-width "
            "limit.\n{}",
            list_help),
        "Options");
    TheoryOptions options;
    std::string width, depth, input_dim, train, rates, threshold, layer;
    parser.add()("width", text(&width, "128:4096:x2"),
                 "LIST of widths n")("depth", text(&depth, "2:128:x2"), "LIST of depths L, at most 16777216")(
        "input-dim", text(&input_dim, "64"), "input dimension n0; matters under one global rate")(
        "train", text(&train, "all"), "layers that take the step: all, first, hidden or last")(
        "rates", text(&rates, "mup"), "mup: layer-wise rates; global: one rate for every layer")(
        "threshold", text(&threshold, "1"), "bound c on E dz^2")("layer", text(&layer, "last"),
                                                                 "last, mean over hidden layers, or output")(
        "json", file_name("json", &options.json), "write JSON to this file, - for standard output");
    if (!parser.parse(arguments)) return std::nullopt;
    options.width = sweep::parse_integer_list("width", width);
    options.depth = sweep::parse_integer_list("depth", depth);
    sweep::validate_grid(options.width, options.depth);
    options.input_dim = parse_dimension("input-dim", input_dim);
    options.train = sweep::parse_name<network::Train>(train);
    options.rates = sweep::parse_name<network::Rates>(rates);
    options.threshold = parse_threshold(threshold);
    options.layer = sweep::parse_name<theory::Layer>(layer);
    if (options.layer == theory::Layer::max)
        throw UsageError("layer: 'max' has no exact theory: the mean of a maximum does not close; use last, "
                         "mean or output");
    return options;
}

} // namespace etastar::app

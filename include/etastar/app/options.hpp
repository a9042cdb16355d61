#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/analysis/transfer.hpp"
#include "etastar/command_line/description.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/theory/theory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace etastar::app {

using command_line::Arguments;

// What a sweep tells: errors alone; also its start, progress and end; also its hosts, and each (width, depth) done.
enum class Verbosity { quiet, normal, verbose };

// Options of `plan` and `sweep`, from the command line and the --config file, to be completed.
struct SweepOptions {
    sweep::Spec spec;
    std::optional<sweep::Spec> shard_of; // the whole sweep where spec is a shard of it
    std::string shard;                   // "3/16"
    std::filesystem::path data;          // of the user's examples, which are in the spec; empty for none
    std::filesystem::path config;        // the --config file; empty for none
    std::filesystem::path output;
    bool output_given = false;
    bool resume = false;  // what is left of an existing file
    bool of_file = false; // whose spec it is: to resume without options of the grid
    bool overwrite = false;
    Verbosity verbosity = Verbosity::normal;
    std::string json;                          // of `plan`; "-" for standard output, empty for none
    std::optional<double> time_limit;          // seconds
    std::optional<std::size_t> budget_of_rank; // bytes, as given
    // Threads of each rank that run networks; 0, not given, and the rest unknown until completed.
    std::size_t threads = 0;
    bool threads_given = false;
    std::size_t weight_budget = 0; // bytes, of each thread
    std::string why_fewer_threads; // than there are cores; empty where that is not for want of memory

    // Reads the files that the options name and checks the spec that all of them make, which is not one before: apart from
    // the command line, for a file system may hang. Throws UsageError and FileError.
    std::function<void(SweepOptions&)> complete;
};

struct StatusOptions {
    std::filesystem::path file;
    std::string json;            // "-" for standard output, empty for none
    std::optional<double> watch; // seconds between looks
};

struct FitCommandOptions {
    std::filesystem::path file;
    analysis::FitOptions fit;
    std::string json; // file name, "-" for standard output, empty for none
    std::string csv;
    std::string latex;
    bool all = false; // lines of long tables
};

struct ReportOptions {
    std::filesystem::path file;
    analysis::FitOptions fit;
    std::string output; // of the page; "-" for standard output
};

struct MergeOptions {
    std::vector<std::filesystem::path> shards;
    std::filesystem::path output;
    bool overwrite = false;
};

struct TheoryOptions {
    sweep::Spec
        grid; // its widths, depths and model; no width where only the limit is asked for, which does not need one
    theory::Criterion criterion = theory::Criterion::linear;
    std::vector<double> thresholds{1};
    bool relative = false;    // thresholds in units of E z^2
    std::vector<double> etas; // of the curve, absolute
    theory::Layer layer = theory::Layer::last;
    std::string json;
};

struct TransferOptions {
    sweep::Spec model; // its model alone
    analysis::Place from;
    analysis::Place to;
    double eta = 0; // base rate at `from`
    theory::Criterion criterion = theory::Criterion::linear;
    double threshold = 1;
    std::filesystem::path file; // of the measurement; empty for theory
    std::string json;
};

// Each throws UsageError, or returns nothing after --help has been printed on standard output.
std::optional<SweepOptions> parse_sweep(const std::string& command, const Arguments& arguments);
std::optional<FitCommandOptions> parse_fit(const Arguments& arguments);
std::optional<ReportOptions> parse_report(const Arguments& arguments);
std::optional<MergeOptions> parse_merge(const Arguments& arguments);
std::optional<StatusOptions> parse_status(const Arguments& arguments);
std::optional<TheoryOptions> parse_theory(const Arguments& arguments);
std::optional<TransferOptions> parse_transfer(const Arguments& arguments);

} // namespace etastar::app

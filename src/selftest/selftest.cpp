#include "etastar/selftest/selftest.hpp"

#include "etastar/analysis/fit.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/host.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/quantity.hpp"
#include "etastar/trial/kind.hpp"

#include "check.hpp"
#include "exchange.hpp"
#include "local.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace etastar::selftest {
namespace {

namespace fs = std::filesystem;
using parallel::Clock;
using parallel::Communicator;
using Print = std::function<void(const std::string& line)>;

std::string describe_hosts(const std::vector<std::string>& hosts) {
    std::vector<std::pair<std::string, int>> counts;
    for (const auto& host : hosts) {
        const auto found =
            std::find_if(counts.begin(), counts.end(), [&](const auto& each) { return each.first == host; });
        if (found == counts.end())
            counts.emplace_back(host, 1);
        else
            ++found->second;
    }
    std::string text;
    for (const auto& [host, count] : counts)
        text += fmt::format("{}{}{}", text.empty() ? "" : ", ", host,
                            count > 1 ? fmt::format(" x {}", count) : "");
    return text;
}

// A file of this name in the folder, which is removed whatever happens.
class Scratch {
public:
    explicit Scratch(const fs::path& folder)
        : path_(folder / fmt::format("etastar-selftest-{}-{}.h5", host_name(), ::getpid())) {}
    ~Scratch() {
        std::error_code ignored;
        fs::remove(path_, ignored);
        fs::remove(path_.string() + ".lock", ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::string check_space(const fs::path& folder) {
    struct statvfs status = {};
    if (::statvfs(folder.c_str(), &status) != 0)
        throw Wrong(fmt::format("{}: cannot look for space ({})", folder.string(), std::strerror(errno)));
    const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
    // Some file systems do not say.
    if (status.f_blocks == 0) return "free space unknown";
    constexpr std::uint64_t least = std::uint64_t{64} << 20;
    require(free >= least, fmt::format("{}: {} are free, fewer than {}", folder.string(),
                                       show_bytes(static_cast<double>(free)), show_bytes(double{least})));
    return show_bytes(static_cast<double>(free)) + " free";
}

// A second writer must be kept out. Where there are no locks NAME.lock's time stamps do, which needs no check.
std::string check_lock(const fs::path& file) {
    const auto name = file.string() + ".lock";
    const io::Descriptor other(::open(name.c_str(), O_RDWR | O_CLOEXEC));
    require(other.get() >= 0, fmt::format("{}: cannot open it ({})", name, std::strerror(errno)));
    if (::flock(other.get(), LOCK_EX | LOCK_NB) == 0) throw Wrong(name + ": two writers may lock it at once");
    return errno == EWOULDBLOCK ? "locks" : "no locks: writers watch one another's time stamps";
}

struct Recorded final : parallel::Collector {
    explicit Recorded(io::SweepFile& target) : file(target) {}

    void collect(std::vector<parallel::NetworkResult>&& results) override {
        std::sort(results.begin(), results.end(),
                  [](const auto& a, const auto& b) { return a.network < b.network; });
        std::vector<io::FinishedNetwork> networks;
        for (const auto& result : results) {
            networks.push_back({result.network, result.record});
            if (!result.error.empty()) error = result.error;
        }
        file.write_networks(networks);
        for (auto& result : results) records[result.network] = std::move(result.record);
    }

    io::SweepFile& file;
    std::map<std::uint64_t, std::vector<std::byte>> records;
    std::string error;
};

// What all ranks have computed is what stands in the file, what one rank computes, and what theory says.
std::string check_records(const Recorded& recorded, const fs::path& path) {
    require(recorded.error.empty(), "a network failed: " + recorded.error);
    const auto table = io::read_sweep_file(path);
    const auto& plan = table.plan;
    require(table.complete && table.damaged == 0 && recorded.records.size() == plan.networks(),
            fmt::format("{} of {} networks were recorded, {} rows are damaged", recorded.records.size(),
                        plan.networks(), table.damaged));
    const auto worker = table.kind->worker(plan, engine::default_weight_budget);
    for (const auto& [network, record] : recorded.records) {
        const auto row = table.row(network * plan.rates());
        require(std::memcmp(row.data(), record.data(), record.size()) == 0,
                "rows are not read as they were written");
        require(network % 10 != 0 || worker->run(network) == record,
                fmt::format("network {} has other bytes on another rank", network));
    }
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("linear")};
    options.thresholds = {1};
    const auto report = analysis::fit(table, options);
    double largest = 0;
    for (const auto& cell : report.fits.front().cells) {
        require(cell.z.has_value() && std::isfinite(*cell.z), "the fit has no z");
        largest = std::max(largest, std::abs(*cell.z));
    }
    require(largest < most_deviations,
            fmt::format("eta* is {:.1f} standard deviations from exact theory", largest));
    return fmt::format(
        "{} networks, read back as written; eta* within {:.1f} standard deviations of exact theory",
        plan.networks(), largest);
}

class CheckReport {
public:
    explicit CheckReport(const Print& print) : print_(print) {}

    void add(const char* name, const Result& result) {
        ++outcome_.checks;
        outcome_.failures += !result.passed;
        print_(
            fmt::format("{:<7} {:<15} {}\n", result.passed ? "ok" : "FAILED", name, shown(result.text, 400)));
    }

    // Of every rank: the first remark, or the first that is wrong and how many.
    void add(const char* name, const std::vector<Result>& results, const std::vector<std::string>& hosts) {
        std::size_t wrong = 0;
        std::size_t first = 0;
        for (std::size_t rank = results.size(); rank-- > 0;)
            if (!results[rank].passed) {
                ++wrong;
                first = rank;
            }
        if (wrong == 0 || results.size() == 1) return add(name, results.front());
        add(name, {false, fmt::format("rank {} on {}: {}{}", first, hosts[first], results[first].text,
                                      wrong > 1 ? fmt::format(" (and {} more ranks)", wrong - 1) : "")});
    }

    const Outcome& outcome() const { return outcome_; }

private:
    const Print& print_;
    Outcome outcome_;
};

// Every rank's local checks.
void check_ranks(Exchange& exchange, CheckReport& report, const std::vector<std::string>& hosts) {
    auto own = nlohmann::json::array();
    for (const auto& check : local_checks()) {
        const auto result = try_check(check.run);
        own.push_back({result.passed, shown(result.text, 1000)});
    }
    const auto gathered = exchange.gather(own.dump());
    if (exchange.rank() != 0) return;
    std::vector<nlohmann::json> ranks;
    ranks.reserve(gathered.size());
    for (const auto& text : gathered) ranks.push_back(nlohmann::json::parse(text));
    for (std::size_t i = 0; i < local_checks().size(); ++i) {
        std::vector<Result> results;
        std::set<std::string> texts;
        for (const auto& rank : ranks) {
            results.push_back({rank[i][0].get<bool>(), rank[i][1].get<std::string>()});
            texts.insert(results.back().text);
        }
        const bool passed =
            std::all_of(results.begin(), results.end(), [](const auto& each) { return each.passed; });
        if (local_checks()[i].run == digest_of_rows && passed) {
            // Numbers that depend on who computes them are wrong.
            if (texts.size() > 1)
                results.front() = {false,
                                   fmt::format("ranks compute different bytes: {}", fmt::join(texts, ", "))};
            else
                results.front().text = fmt::format("checksum {}{}", *texts.begin(),
                                                   ranks.size() > 1 ? ", the same on every rank" : "");
            report.add(local_checks()[i].name, results.front());
            continue;
        }
        if (passed && texts.size() > 1)
            results.front().text += fmt::format(" (on rank 0; ranks differ in {} ways)", texts.size());
        report.add(local_checks()[i].name, results, hosts);
    }
}

// Creates the file on rank 0 and runs the sweep on all; nothing is run where there is no file.
void check_sweep(const fs::path& folder, io::Provenance provenance, Communicator& world, Exchange& exchange,
                 CheckReport& report) {
    const plan::Plan plan(small_spec());
    const auto job =
        parallel::Job::of(trial::find_kind(plan.spec().trial), plan, engine::default_weight_budget);
    if (world.rank() != 0) {
        if (exchange.broadcast("") == "go") serve_networks(world, job);
        return;
    }
    const Scratch scratch(folder);
    std::optional<io::SweepFile> file;
    report.add("files", try_check([&] {
                   const auto space = check_space(folder);
                   file = io::SweepFile::create(scratch.path(), plan, provenance, false);
                   const auto lock = check_lock(scratch.path());
                   const auto begin = Clock::now();
                   file->sync();
                   const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
                   return fmt::format("{}: {}, {}, fsync in {}", folder.string(), space, lock,
                                      show_duration(seconds));
               }));
    exchange.broadcast(file ? "go" : "stay");
    if (!file) return report.add("sweep", {false, "not run: there is no file to write"});
    Recorded recorded(*file);
    std::vector<parallel::Unit> units;
    for (std::uint64_t network = 0; network < plan.networks(); ++network) units.push_back({network, 1e-4});
    run_networks(world, std::move(units), job, recorded);
    report.add("sweep", try_check([&] {
                   file->check();
                   file->mark_complete();
                   return check_records(recorded, scratch.path());
               }));
}

} // namespace

Outcome run(Communicator& world, const fs::path& folder, io::Provenance provenance, const Print& print) {
    const Print nothing = [](const std::string&) {};
    CheckReport report(world.rank() == 0 ? print : nothing);
    Exchange exchange(world);
    // Of a rank that misses a message others would wait for the next: the job ends with a line of its own.
    check_messages(exchange);
    const auto hosts = exchange.gather(host_name());
    report.add("messages", {true, fmt::format("{}; {}", world.description(), describe_hosts(hosts))});
    check_ranks(exchange, report, hosts);
    check_sweep(folder, std::move(provenance), world, exchange, report);
    return report.outcome();
}

} // namespace etastar::selftest

#include "etastar/analysis/fit.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/engine/blas.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/host.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/isa.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/random/normal.hpp"
#include "etastar/theory/moments.hpp"

#include "../aligned.hpp"
#include "../engine/products.hpp"
#include "../matrix/kernels.hpp"
#include "../random/kernels.hpp"
#include "parser.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace etastar::app {
namespace {

namespace fs = std::filesystem;
using parallel::Clock;
using parallel::Communicator;
using parallel::Tag;

// For a message of a rank that may be slow to start, on a busy machine.
constexpr auto patience = std::chrono::seconds(60);

// Fixed seeds: numbers differ by what processors and libraries round, not by chance.
constexpr double most_deviations = 4.5;

// What is wrong; no failure of the check itself.
struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void require(bool condition, const std::string& otherwise) {
    if (!condition) throw Wrong(otherwise);
}

void require_close(double value, double expected, double relative, const std::string& what) {
    require(std::abs(value - expected) <= relative * std::abs(expected),
            fmt::format("{} is {:.12g}, not {:.12g}", what, value, expected));
}

// What became of a check on one rank.
struct Result {
    bool passed = false;
    std::string text; // a remark, or what is wrong
};

Result try_check(const std::function<std::string()>& check) {
    try {
        return {true, check()};
    } catch (const std::bad_alloc&) {
        return {false, "out of memory"};
    } catch (const std::exception& error) {
        return {false, error.what()};
    }
}

// --- Checks of one process ---

model::Model relu_network() {
    model::Model relu;
    relu.input_dim = 64;
    return relu;
}

std::string names_of_kernels() {
    std::vector<std::string> names;
    for (const auto* kernels : random::supported_kernels()) names.emplace_back(kernels->isa);
    return fmt::format("{}", fmt::join(names, ", "));
}

// Random123's kat_vectors for Philox4x32-10: counter and key of zeros, of ones, and of digits of pi.
struct KnownAnswer {
    std::array<std::uint32_t, 2> key;
    std::array<std::uint32_t, 2> prefix;
    std::uint64_t block;
    std::array<std::uint32_t, 4> words;
};
constexpr KnownAnswer known_answers[] = {
    {{0, 0}, {0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     0xffffffffffffffff,
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0xa4093822, 0x299f31d0},
     {0x13198a2e, 0x03707344},
     0x85a308d3243f6a88,
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

std::string check_random_numbers() {
    constexpr std::size_t chunks = 256;
    constexpr std::size_t count = chunks * random::chunk_size;
    // Of the variates below, on any processor: a network's weights are these bits.
    constexpr std::uint32_t normals_crc = 0xa68b229a;
    const random::Stream stream({2305, 7810, 3, 2, random::Role::weights});
    for (const auto* kernels : random::supported_kernels()) {
        for (const auto& known : known_answers) {
            std::array<std::uint32_t, random::chunk_size> words{};
            kernels->words(known.key.data(), known.prefix.data(), known.block / 16, 1, words.data());
            const auto lane = known.block % 16;
            for (std::size_t w = 0; w < 4; ++w)
                require(words[16 * w + lane] == known.words[w],
                        fmt::format("the {} kernels do not reproduce Philox4x32-10", kernels->isa));
        }
        std::vector<float> normals(count);
        kernels->normals(stream.key.data(), stream.prefix.data(), 0, chunks, 1.0f, normals.data());
        const auto crc = trial::checksum(std::as_bytes(std::span(normals)));
        require(crc == normals_crc,
                fmt::format("the {} kernels draw other variates: checksum {:08x}, not {:08x}", kernels->isa,
                            crc, normals_crc));
    }
    return fmt::format("Philox known answers and normal variates: {}", names_of_kernels());
}

template <class T>
void check_loops(const matrix::Kernels& kernels, const matrix::Kernels& narrowest) {
    constexpr std::size_t length = 4096;
    constexpr std::size_t columns = 5;
    const random::Stream stream({1, 2, 3, 4, random::Role::forward});
    AlignedVector<T> values(columns * length);
    random::fill_normal(stream, 0, values.size(), 1.0f, values.data());
    const matrix::Columns<T> all{values.data(), length, columns};
    const auto sums_of = [&](const matrix::Kernels& each) {
        std::vector<double> sums(2 * columns * columns);
        each.of<T>().project(all, all, length, sums.data());
        each.of<T>().products(all, length, sums.data() + columns * columns);
        for (std::size_t i = 0; i < columns; ++i)
            for (std::size_t j = 0; j < i; ++j) sums[columns * (columns + i) + j] = 0;
        return sums;
    };
    require(sums_of(kernels) == sums_of(narrowest),
            fmt::format("the {} kernels sum to other bits than the {} ones", kernels.isa, narrowest.isa));
}

std::string check_kernels() {
    const auto all = matrix::supported_kernels();
    for (const auto* kernels : all) {
        check_loops<float>(*kernels, *all.front());
        check_loops<double>(*kernels, *all.front());
    }
    return all.size() == 1 ? fmt::format("{} alone", all.front()->isa)
                           : fmt::format("the same bits by all, {} runs", all.back()->isa);
}

std::string check_theory() {
    const auto relu = relu_network();
    const auto exact = theory::exact_responses(relu, 64, 8);
    // By the same recursion in Python, and in closed form.
    require_close(exact.hidden.back(), 220.03421002842606, 1e-12, "E G of width 64, depth 8");
    require_close(exact.output, 38.59308640571393, 1e-12, "E Theta^2 of width 64, depth 8");
    const auto* limit = theory::find(relu, theory::Regime::infinite_width);
    require(limit != nullptr, "there is no theory of infinite width");
    for (const auto criterion : {theory::Criterion::linear, theory::Criterion::finite}) {
        const auto rate = theory::rate(*limit, criterion, relu, 1, 1, theory::Layer::last, 1.0).value_or(0);
        require_close(rate, std::sqrt(2.0), 1e-9, "eta* of one layer at infinite width");
    }
    const auto deep =
        theory::rate(*limit, theory::Criterion::linear, relu, 1, 1 << 14, theory::Layer::last, 1.0);
    require_close(deep.value_or(0) * std::pow(1 << 14, 1.5), std::sqrt(3.0), 1e-3,
                  "eta* L^(3/2) of deep networks");
    return "exact moments, infinite width, the limit sqrt(3) L^(-3/2)";
}

template <class T>
void check_products() {
    // No size is a multiple of a vector's or of a block's.
    constexpr std::size_t rows = 141;
    constexpr std::size_t cols = 67;
    constexpr std::size_t inner = 203;
    const random::Stream stream({5, 6, 7, 8, random::Role::weights});
    AlignedVector<T> a(rows * inner);
    AlignedVector<T> b(inner * cols);
    random::fill_normal(stream, 0, a.size(), 1.0f, a.data());
    random::fill_normal(stream, a.size(), b.size(), 1.0f, b.data());
    AlignedVector<T> product(rows * cols);
    AlignedVector<T> vector(rows);
    AlignedVector<T> transposed(inner);
    engine::gemm(rows, cols, inner, a.data(), b.data(), product.data(), cols);
    engine::gemv(rows, inner, a.data(), b.data(), vector.data());
    engine::gemv_transposed(rows, inner, a.data(), a.data(), transposed.data());
    const double tolerance = 64 * std::sqrt(double{inner}) * std::numeric_limits<T>::epsilon();
    const auto compare = [&](double value, double expected, const char* name) {
        require(
            std::abs(value - expected) <= tolerance * std::sqrt(double{inner}),
            fmt::format("{}{}: {} is computed for {}", sizeof(T) == 4 ? "s" : "d", name, value, expected));
    };
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < inner; ++k) sum += double{a[i * inner + k]} * b[k * cols + j];
            compare(product[i * cols + j], sum, "gemm");
        }
        double sum = 0;
        for (std::size_t k = 0; k < inner; ++k) sum += double{a[i * inner + k]} * b[k];
        compare(vector[i], sum, "gemv");
    }
    for (std::size_t k = 0; k < inner; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < rows; ++i) sum += double{a[i * inner + k]} * a[i];
        compare(transposed[k], sum, "gemv of the transpose");
    }
}

std::string check_blas() {
    engine::load_blas();
    engine::use_one_blas_thread();
    check_products<float>();
    check_products<double>();
    return fmt::format("{}; kernels {}, chosen by {}", engine::blas_version(), engine::blas_core(),
                       engine::blas_core_chosen_by());
}

struct Mean {
    double value = 0;
    double error = 0;
};

Mean mean_of(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    double sum = 0;
    double squares = 0;
    for (const double value : values) sum += value;
    for (const double value : values) squares += (value - sum / n) * (value - sum / n);
    return {sum / n, std::sqrt(squares / (n - 1) / n)};
}

// Both engines draw networks of one law, whose mean response is known, and a small step moves them as the response says.
std::string check_engines() {
    constexpr std::uint32_t width = 64;
    constexpr std::uint32_t depth = 6;
    constexpr std::uint64_t networks = 200;
    const auto relu = relu_network();
    const auto exact = theory::exact_responses(relu, width, depth).hidden.back();
    const double small[] = {1e-4 / std::sqrt(exact)};
    std::string text;
    for (const auto kind : {engine::EngineKind::implicit, engine::EngineKind::dense}) {
        const auto engine = engine::make_engine({relu, kind, engine::Precision::double_, {}});
        std::vector<double> responses;
        for (std::uint64_t seed = 0; seed < networks; ++seed) {
            const auto outcome = engine->run({width, depth, seed}, small);
            responses.push_back(outcome.response.back());
            const double error = engine->error(outcome) * small[0];
            require_close(outcome.steps[0].dz2_last, error * error * outcome.response.back(), 0.02,
                          fmt::format("{} engine: a small step's change", name_of(kind)));
        }
        const auto mean = mean_of(responses);
        require(std::abs(mean.value - exact) < most_deviations * mean.error,
                fmt::format("{} engine: mean response {:.4g} +- {:.2g}, exact theory {:.4g}", name_of(kind),
                            mean.value, mean.error, exact));
        text +=
            fmt::format("{}{} {:.4g}", text.empty() ? "mean response: " : ", ", name_of(kind), mean.value);
    }
    return fmt::format("{}, exact theory {:.4g}", text, exact);
}

sweep::Spec small_spec() {
    sweep::Spec spec;
    spec.model = relu_network();
    spec.width = {96, 512};
    spec.depth = {4, 12};
    spec.eta = {0.5, 1, 2};
    spec.seeds = 100;
    spec.first_seed = 20230510;
    return spec;
}

// Of some of the sweep's rows, by this rank's processor.
std::string digest_of_rows() {
    const plan::Plan plan(small_spec());
    const auto worker = trial::find_kind(plan.spec().trial).worker(plan, engine::default_weight_budget);
    std::vector<std::byte> bytes;
    for (std::uint64_t network = 0; network < plan.networks(); network += 40) {
        const auto record = worker->run(network);
        bytes.insert(bytes.end(), record.begin(), record.end());
    }
    return fmt::format("{:08x}", trial::checksum(bytes));
}

// --- Messages between ranks ---

// What a check says on every rank: messages are kept until somebody asks for them.
class Exchange {
public:
    explicit Exchange(Communicator& world) : world_(world.duplicate()) {}

    int rank() const { return world_.rank(); }
    int size() const { return world_.size(); }

    void send(int to, Tag tag, std::vector<std::byte> payload) { world_.send(to, tag, std::move(payload)); }

    std::vector<std::byte> receive(int from, Tag tag) {
        const auto deadline = Clock::now() + patience;
        auto& waiting = inbox_[{from, tag}];
        while (waiting.empty()) {
            if (auto message = world_.poll())
                inbox_[{message->source, message->tag}].push_back(std::move(message->payload));
            else if (Clock::now() > deadline)
                throw Wrong(fmt::format("rank {} hears nothing from rank {}", rank(), from));
            else
                std::this_thread::sleep_for(std::chrono::microseconds(200));
            world_.all_sent();
        }
        auto payload = std::move(waiting.front());
        waiting.erase(waiting.begin());
        return payload;
    }

    void finish_sending() {
        const auto deadline = Clock::now() + patience;
        while (!world_.all_sent()) {
            if (Clock::now() > deadline)
                throw Wrong(fmt::format("messages of rank {} do not arrive", rank()));
            if (auto message = world_.poll())
                inbox_[{message->source, message->tag}].push_back(std::move(message->payload));
        }
    }

    std::string broadcast(std::string text) { return world_.broadcast(std::move(text)); }

    // The texts of all ranks, on rank 0.
    std::vector<std::string> gather(const std::string& text) {
        if (rank() != 0) {
            const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
            send(0, Tag::result, {bytes, bytes + text.size()});
            finish_sending();
            return {};
        }
        std::vector<std::string> texts{text};
        for (int from = 1; from < size(); ++from) {
            const auto payload = receive(from, Tag::result);
            texts.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
        }
        return texts;
    }

private:
    Communicator world_;
    std::map<std::pair<int, Tag>, std::vector<std::vector<std::byte>>> inbox_;
};

// Whom a rank exchanges messages with: all others or, of many ranks, those at distances that are powers of 2.
std::set<int> partners_of(int rank, int size) {
    constexpr int few = 32;
    std::set<int> partners;
    for (int distance = 1; distance < size; distance = size <= few ? distance + 1 : 2 * distance)
        for (const int other : {(rank + distance) % size, (rank - distance + size) % size})
            if (other != rank) partners.insert(other);
    return partners;
}

std::vector<std::byte> pattern_of(int from, int to, std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(
            (static_cast<std::size_t>(from) * 31 + static_cast<std::size_t>(to) * 17 + i * i) & 0xff);
    return bytes;
}

// Short messages, and some that are longer than what transports send without being asked to.
void check_messages(Exchange& exchange) {
    const auto partners = partners_of(exchange.rank(), exchange.size());
    constexpr std::size_t sizes[] = {0, 1, 1000, 300'000};
    for (const auto size : sizes)
        for (const int other : partners)
            exchange.send(other, Tag::work, pattern_of(exchange.rank(), other, size));
    for (const auto size : sizes)
        for (const int other : partners)
            require(exchange.receive(other, Tag::work) == pattern_of(other, exchange.rank(), size),
                    fmt::format("a message of {} bytes from rank {} to rank {} arrives changed", size, other,
                                exchange.rank()));
    exchange.finish_sending();
    const auto pattern = pattern_of(0, 0, std::size_t{1} << 20);
    const std::string text(reinterpret_cast<const char*>(pattern.data()), pattern.size());
    require(exchange.broadcast(exchange.rank() == 0 ? text : "") == text,
            fmt::format("a broadcast arrives changed on rank {}", exchange.rank()));
}

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

// --- The file system and a sweep ---

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

io::Provenance provenance_of(const Communicator& world) {
    io::Provenance provenance;
    provenance.version = version();
    provenance.git_revision = git_revision();
    provenance.host = host_name();
    provenance.ranks = static_cast<std::uint32_t>(world.size());
    provenance.mpi = world.description();
    provenance.blas = provenance.blas_core = provenance.blas_core_chosen_by = "none";
    return provenance;
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

// --- All of it ---

class CheckReport {
public:
    explicit CheckReport(bool prints) : prints_(prints) {}

    void add(const char* name, const Result& result) {
        ++checks_;
        failures_ += !result.passed;
        if (prints_)
            write_document("-", fmt::format("{:<7} {:<15} {}\n", result.passed ? "ok" : "FAILED", name,
                                            shown(result.text, 400)));
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

    std::size_t failures() const { return failures_; }
    std::string summary() const {
        if (failures_ == 0) return fmt::format("all {} checks passed\n", checks_);
        return fmt::format("{} of {} checks FAILED\n", failures_, checks_);
    }

private:
    bool prints_;
    std::size_t checks_ = 0;
    std::size_t failures_ = 0;
};

struct LocalCheck {
    const char* name;
    std::string (*run)();
};
constexpr LocalCheck local_checks[] = {
    {"random numbers", check_random_numbers},
    {"kernels", check_kernels},
    {"theory", check_theory},
    {"BLAS", check_blas},
    {"engines", check_engines},
    {"rows", digest_of_rows},
};

// Every rank's local checks.
void check_ranks(Exchange& exchange, CheckReport& report, const std::vector<std::string>& hosts) {
    auto own = nlohmann::json::array();
    for (const auto& check : local_checks) {
        const auto result = try_check(check.run);
        own.push_back({result.passed, shown(result.text, 1000)});
    }
    const auto gathered = exchange.gather(own.dump());
    if (exchange.rank() != 0) return;
    std::vector<nlohmann::json> ranks;
    ranks.reserve(gathered.size());
    for (const auto& text : gathered) ranks.push_back(nlohmann::json::parse(text));
    for (std::size_t i = 0; i < std::size(local_checks); ++i) {
        std::vector<Result> results;
        std::set<std::string> texts;
        for (const auto& rank : ranks) {
            results.push_back({rank[i][0].get<bool>(), rank[i][1].get<std::string>()});
            texts.insert(results.back().text);
        }
        const bool passed =
            std::all_of(results.begin(), results.end(), [](const auto& each) { return each.passed; });
        if (local_checks[i].run == digest_of_rows && passed) {
            // Numbers that depend on who computes them are wrong.
            if (texts.size() > 1)
                results.front() = {false,
                                   fmt::format("ranks compute different bytes: {}", fmt::join(texts, ", "))};
            else
                results.front().text = fmt::format("checksum {}{}", *texts.begin(),
                                                   ranks.size() > 1 ? ", the same on every rank" : "");
            report.add(local_checks[i].name, results.front());
            continue;
        }
        if (passed && texts.size() > 1)
            results.front().text += fmt::format(" (on rank 0; ranks differ in {} ways)", texts.size());
        report.add(local_checks[i].name, results, hosts);
    }
}

// Creates the file on rank 0 and runs the sweep on all; nothing is run where there is no file.
void check_sweep(const fs::path& folder, Communicator& world, Exchange& exchange, CheckReport& report) {
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
                   file = io::SweepFile::create(scratch.path(), plan, provenance_of(world), false);
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

std::optional<fs::path> parse_selftest(const Arguments& arguments) {
    Parser parser(
        "usage: [mpirun -n N] etastar selftest [options]\n\nWhether this installation works here: known "
        "answers of "
        "the random generator and of theory, the kernels\nof every instruction set, both engines, the BLAS, "
        "messages between all ranks, and a small sweep that is written,\nread back and fitted. A line per "
        "check; "
        "exit code 0, or 1 when one has failed.\n");
    std::string folder = ".";
    parser.file("dir", "folder to write a temporary file to, as sweeps will write there", folder);
    if (!parser.parse(arguments)) return std::nullopt;
    return folder;
}

} // namespace

ExitCode selftest_command(const Arguments& arguments, Communicator& communicator) {
    // Every rank has the same command line; rank 0 tells what is wrong with it.
    std::optional<fs::path> folder;
    if (communicator.rank() == 0) {
        try {
            isa_limit();
            folder = parse_selftest(arguments);
        } catch (...) {
            communicator.broadcast("");
            throw;
        }
    }
    if (communicator.broadcast(folder ? "go" : "").empty()) return ExitCode::done;
    return parallel::run_guarded(communicator, [&] {
        CheckReport report(communicator.rank() == 0);
        if (communicator.rank() == 0)
            write_document("-", fmt::format("etastar {} ({}), {} rank{}\n", version(), git_revision(),
                                            communicator.size(), communicator.size() == 1 ? "" : "s"));
        Exchange exchange(communicator);
        // Of a rank that misses a message others would wait for the next: the job ends with a line of its own.
        check_messages(exchange);
        const auto hosts = exchange.gather(host_name());
        report.add("messages",
                   {true, fmt::format("{}; {}", communicator.description(), describe_hosts(hosts))});
        check_ranks(exchange, report, hosts);
        check_sweep(folder.value_or(""), communicator, exchange, report);
        if (communicator.rank() == 0) write_document("-", report.summary());
        return report.failures() == 0 ? ExitCode::done : ExitCode::internal;
    });
}

} // namespace etastar::app

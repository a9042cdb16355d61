// A kind of trial is one class, with its row: the one here is known to nobody else, and ranks, files and readers take
// it like any other.
#include "etastar/analysis/table.hpp"
#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/parallel/runner.hpp"
#include "etastar/trial/kind.hpp"

#include "catch.hpp"
#include "io/layout.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>

using namespace etastar;
using trial::Scalar;
using trial::Status;

namespace {

struct ToyRow {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t seed = 0;
    double eta = 0;
    double sum = 0;     // of width and depth
    double product = 0; // of seed and eta
    std::uint32_t counter = 0;
    std::uint32_t parity = 0;
    trial::RowEnd end;
};

constexpr trial::Column toy_columns[] = {
    {"width", Scalar::u32, offsetof(ToyRow, width), "n"},
    {"depth", Scalar::u32, offsetof(ToyRow, depth), "L"},
    {"seed", Scalar::u64, offsetof(ToyRow, seed), "seed"},
    {"eta", Scalar::f64, offsetof(ToyRow, eta), "rate"},
    {"sum", Scalar::f64, offsetof(ToyRow, sum), "n + L"},
    {"product", Scalar::f64, offsetof(ToyRow, product), "seed times eta"},
    {"counter", Scalar::u32, offsetof(ToyRow, counter), "place of the rate"},
    {"parity", Scalar::u32, offsetof(ToyRow, parity), "of the seed"},
    {"status", Scalar::status, offsetof(ToyRow, end) + offsetof(trial::RowEnd, status), "what became of it"},
    {"check", Scalar::u32, offsetof(ToyRow, end) + offsetof(trial::RowEnd, check), "checksum"},
};
constexpr trial::RowType toy_row{toy_columns, sizeof(ToyRow)};
static_assert(well_formed(toy_row));

class Toy final : public trial::Kind {
public:
    // Networks of this seed cannot be run.
    explicit Toy(std::uint64_t failing = ~std::uint64_t{0}) : failing_(failing) {}

    std::string_view name() const override { return "toy"; }
    const trial::RowType& row() const override { return toy_row; }
    std::vector<trial::Table> tables(const sweep::Spec&) const override {
        return {{.group = "walk", .name = "position", .rows = 2, .columns = 3}};
    }
    bool consistent(const trial::RecordLayout& layout, trial::ConstBytes record) const override {
        return test::rows_of<double>(layout.table(record, 0)).front()
               == test::rows_of<ToyRow>(layout.row(record, 0)).front().sum;
    }
    Cost cost(const sweep::Spec&, const plan::Cell& cell, std::size_t) const override {
        return {1e-6 * cell.width, 1000};
    }
    std::unique_ptr<trial::Worker> worker(const plan::Plan& plan, std::size_t) const override;

private:
    std::uint64_t failing_;
};

class ToyWorker final : public trial::Worker {
public:
    ToyWorker(const plan::Plan& plan, trial::RecordLayout layout, std::uint64_t failing)
        : plan_(plan), layout_(std::move(layout)), failing_(failing) {}

    std::vector<std::byte> run(std::uint64_t network) override {
        const auto id = plan_.id(network);
        if (id.seed == failing_) throw std::runtime_error("no toys of this seed");
        std::vector<std::byte> record(layout_.bytes());
        const double sum = id.width + id.depth;
        for (std::uint32_t k = 0; k < layout_.rates(); ++k) {
            const double eta = plan_.cell_of(network).etas[k];
            ToyRow row{id.width, id.depth, id.seed, eta, sum, static_cast<double>(id.seed) * eta, k, 0, {}};
            row.parity = static_cast<std::uint32_t>(id.seed % 2);
            row.end.status = k == 2 ? Status::nonfinite : Status::done;
            seal(toy_row, test::bytes_of(row));
            std::memcpy(layout_.row(record, k).data(), &row, sizeof(row));
        }
        const std::array<double, 6> position{sum, 1, 2, 3, 4, static_cast<double>(id.seed)};
        std::memcpy(layout_.table(record, 0).data(), position.data(), sizeof(position));
        return record;
    }

private:
    plan::Plan plan_;
    trial::RecordLayout layout_;
    std::uint64_t failing_;
};

std::unique_ptr<trial::Worker> Toy::worker(const plan::Plan& plan, std::size_t) const {
    return std::make_unique<ToyWorker>(plan, layout(plan.spec()), failing_);
}

const Toy healthy;
const Toy broken(2);
const trial::Kind* const toys[] = {&healthy};

struct Recorder final : parallel::Collector {
    explicit Recorder(io::SweepFile& sweep_file) : file(sweep_file) {}
    void collect(std::vector<parallel::NetworkResult>&& results) override {
        std::sort(results.begin(), results.end(),
                  [](const auto& a, const auto& b) { return a.network < b.network; });
        std::vector<io::FinishedNetwork> networks;
        for (const auto& result : results) {
            networks.push_back({result.network, result.record});
            if (!result.error.empty()) errors.push_back(result.error);
        }
        file.write_networks(networks);
    }
    io::SweepFile& file;
    std::vector<std::string> errors;
};

// Runs what is left of the file; returns why networks failed.
std::vector<std::string> run(io::SweepFile& file, const Toy& kind) {
    auto plan = file.plan();
    plan.price([&](const plan::Cell& cell) { return kind.cost(plan.spec(), cell, 0); });
    std::vector<parallel::Unit> units;
    for (const auto network : file.networks_left())
        units.push_back({network, plan.cell_of(network).cost.seconds});
    parallel::Communicator alone;
    Recorder recorder(file);
    parallel::run_networks(alone, std::move(units), parallel::Job::of(kind, plan, 0), recorder);
    return recorder.errors;
}

sweep::Spec toy_spec() {
    auto spec = test::small_spec();
    spec.trial = "toy";
    return spec;
}

} // namespace

TEST_CASE("toy kind: a table is run, written and read by code that knows no row") {
    const test::TemporaryFolder folder;
    const auto path = folder / "toy.h5";
    const auto spec = toy_spec();
    {
        auto file = io::SweepFile::create(path, plan::Plan(spec), {}, false, toys);
        CHECK(run(file, healthy).empty());
        file.mark_complete();
    }
    io::SweepReader reader(path, toys);
    CHECK(&reader.kind() == &healthy);
    CHECK(reader.complete());
    CHECK(reader.plan().spec() == spec);
    const auto tally = reader.tally();
    CHECK(tally.finished == spec.networks());
    CHECK(tally.damaged + tally.failed + tally.pending == 0);

    std::vector<ToyRow> rows(spec.rows());
    reader.read_rows(0, std::as_writable_bytes(std::span(rows)));
    for (std::uint64_t i = 0; i < spec.rows(); ++i) {
        const auto id = reader.plan().id(i / 3);
        CHECK(rows[i].seed == id.seed);
        CHECK(rows[i].sum == id.width + id.depth);
        CHECK(rows[i].product == static_cast<double>(id.seed) * spec.eta[i % 3]);
        CHECK(rows[i].counter == i % 3);
        CHECK(rows[i].parity == id.seed % 2);
        CHECK(rows[i].end.status == (i % 3 == 2 ? Status::nonfinite : Status::done));
    }
    const auto worker = healthy.worker(reader.plan(), 0);
    std::vector<std::byte> record(reader.layout().bytes());
    for (std::uint64_t network = 0; network < spec.networks(); ++network) {
        reader.read_records(network, 1, record);
        CHECK(record == worker->run(network));
    }

    // Estimators read its columns by name, and only real-valued ones.
    const auto results = io::read_sweep_file(path, toys);
    CHECK(analysis::column(results, "product")[7] == rows[7].product);
    CHECK(analysis::has_column(results, "sum"));
    CHECK_FALSE(analysis::has_column(results, "response_last"));
    CHECK_FALSE(analysis::has_column(results, "counter"));
}

TEST_CASE("toy kind: damage of rows and of tables is told, and a resumed sweep repairs it") {
    const test::TemporaryFolder folder;
    const auto path = folder / "toy.h5";
    const auto spec = toy_spec();
    {
        auto file = io::SweepFile::create(path, plan::Plan(spec), {}, false, toys);
        // Seed 2 of each of four cells.
        CHECK(run(file, broken) == std::vector<std::string>(4, "no toys of this seed"));
    }
    const auto tally_of = [&] { return io::SweepReader(path, toys).tally(); };
    CHECK(tally_of().failed == 4);
    CHECK(tally_of().left == std::vector<std::uint64_t>{2, 7, 12, 17});

    const auto map = io::SweepReader(path, toys).data_map();
    REQUIRE(map.tables.size() == 1);
    test::flip_byte(path, map.trials.offset + (3 * 3 + 1) * sizeof(ToyRow) + offsetof(ToyRow, counter));
    test::flip_byte(path, map.tables[0].values.offset + (2 * 8 + 1) * 3 * sizeof(double)
                              + 5); // second row of network 8
    test::flip_byte(path, map.tables[0].checks.offset
                              + (2 * 10) * sizeof(std::uint32_t)); // first row of network 10
    const auto tally = tally_of();
    CHECK(tally.damaged == 3);
    CHECK(tally.left == std::vector<std::uint64_t>{2, 3, 7, 8, 10, 12, 17});

    // What is damaged reads as not measured, what is not as before.
    std::vector<std::byte> record(healthy.layout(spec).bytes());
    {
        io::SweepReader reader(path, toys);
        const auto& layout = reader.layout();
        reader.read_records(3, 1, record);
        const auto rows = test::rows_of<ToyRow>(layout.rows(record));
        CHECK(rows[0].end.status == Status::done);
        CHECK(rows[1].end.status == Status::pending);
        CHECK(rows[1].counter == 0);
        reader.read_records(8, 1, record);
        const auto position = test::rows_of<double>(layout.table(record, 0));
        CHECK(position[2] == 2);
        CHECK(std::isnan(position[3]));
        CHECK(std::isnan(position[5]));
    }

    {
        auto file = io::SweepFile::open(path, spec, toys);
        CHECK(file.damaged_rows() == 3);
        CHECK(file.networks_left() == tally.left);
        CHECK(run(file, healthy).empty());
        file.mark_complete();
    }
    CHECK(tally_of().finished == spec.networks());
    io::SweepReader repaired(path, toys);
    CHECK(repaired.complete());
    const auto worker = healthy.worker(repaired.plan(), 0);
    for (std::uint64_t network = 0; network < spec.networks(); ++network) {
        repaired.read_records(network, 1, record);
        CHECK(record == worker->run(network));
    }
}

TEST_CASE("toy kind: rows and a table of different runs are pending") {
    const test::TemporaryFolder folder;
    const auto path = folder / "toy.h5";
    {
        auto file = io::SweepFile::create(path, plan::Plan(toy_spec()), {}, false, toys);
        run(file, healthy);
        auto record = healthy.worker(file.plan(), 0)->run(6);
        auto first = test::rows_of<double>(file.layout().table(record, 0)).front() + 1;
        std::memcpy(file.layout().table(record, 0).data(), &first, sizeof(first));
        test::write_record(file, 6, record);
    }
    const auto tally = io::SweepReader(path, toys).tally();
    CHECK(tally.left == std::vector<std::uint64_t>{6});
    CHECK(tally.damaged == 1);
}

TEST_CASE("toy kind: a program that does not know it refuses its file by its name") {
    const test::TemporaryFolder folder;
    const auto path = folder / "toy.h5";
    { io::SweepFile::create(path, plan::Plan(toy_spec()), {}, false, toys); }
    const std::string expected = "toy.h5: cannot be read: trial: 'toy' is not one of first-step";
    CHECK(test::refusal_of<std::exception>([&] { io::SweepReader reader(path); }).find(expected)
          != std::string::npos);
    CHECK(test::refusal_of<std::exception>([&] { io::SweepFile::open(path, toy_spec()); }).find(expected)
          != std::string::npos);
    CHECK(test::refusal_of<std::exception>([&] { io::read_sweep_file(path); }).find(expected)
          != std::string::npos);
    // And it creates none.
    CHECK_THROWS_AS(io::SweepFile::create(folder / "other.h5", plan::Plan(toy_spec()), {}, false),
                    UsageError);
    CHECK_FALSE(std::filesystem::exists(folder / "other.h5"));
}

#include "etastar/error.hpp"
#include "etastar/io/dataset.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/trial/training.hpp"

#include "catch.hpp"
#include "io/layout.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>

using namespace etastar;
using trial::Status;
using trial::TrainingRow;

namespace {

const trial::Kind& training() { return trial::find_kind(sweep::training_trial); }

constexpr std::uint32_t steps = 4;

sweep::Spec training_spec() {
    auto spec = test::small_spec(); // 2 x 2 x 5 networks, 3 rates
    spec.trial = sweep::training_trial;
    spec.training.steps = steps;
    return spec;
}

sweep::Spec with_data(sweep::Spec spec, double last = 0.5) {
    const model::Dataset data{2, 4, {1, -1, 2, 3, 0, 1e300, -0.25, 7}, {-1, last}};
    spec.training.data.source = model::DataSource::file;
    spec.training.data.samples = data.samples;
    spec.training.data.digest = sweep::digest(data);
    spec.training.data.table = std::make_shared<const model::Dataset>(data);
    return spec;
}

// Runs of a network that name it: the last rate diverges.
std::vector<engine::TrainingOutcome> outcomes(std::uint64_t network) {
    const auto at = static_cast<double>(network + 1);
    std::vector<engine::TrainingOutcome> runs(3);
    runs[0].loss = {8 * at, 4 * at, 1 * at, 2 * at, 3 * at};
    runs[1].loss = {8 * at, 8 * at, 8 * at, 8 * at, 8 * at};
    runs[2].loss = {8 * at, 2e9 * at};
    for (std::size_t k = 0; k < 3; ++k) {
        runs[k].dz2_final = at * static_cast<double>(k);
        runs[k].kernel_initial = at / 2;
        runs[k].kernel_final = at / 4;
    }
    runs[2].kernel_final = std::nan("");
    runs[2].diverged = true;
    return runs;
}

std::vector<std::byte> record_of(const plan::Plan& plan, std::uint64_t network) {
    return trial::training_record(training().layout(plan.spec()), plan.id(network),
                                  plan.cell_of(network).etas, outcomes(network));
}

void write_all(io::SweepFile& file) {
    for (std::uint64_t i = 0; i < file.plan().networks(); ++i)
        test::write_record(file, i, record_of(file.plan(), i));
}

io::SweepFile create(const std::filesystem::path& path, const sweep::Spec& spec) {
    return io::SweepFile::create(path, plan::Plan(spec), {}, false);
}

} // namespace

TEST_CASE("training: a record is rows and the losses that they sum up") {
    const plan::Plan plan(training_spec());
    const auto layout = training().layout(plan.spec());
    REQUIRE(layout.tables().size() == 1);
    CHECK(layout.tables()[0].rows == 3);
    CHECK(layout.tables()[0].columns == steps + 1);
    CHECK(layout.tables()[0].analysed);
    const auto record = record_of(plan, 7);
    REQUIRE(record.size() == layout.bytes());
    const auto rows = test::rows_of<TrainingRow>(layout.rows(record));
    const auto losses = test::rows_of<double>(layout.table(record, 0));
    REQUIRE(losses.size() == 15);
    const auto id = plan.id(7);
    for (std::size_t k = 0; k < 3; ++k) {
        const auto& row = rows[k];
        CHECK(trial::intact(layout.row(record, k)));
        CHECK(row.width == id.width);
        CHECK(row.depth == id.depth);
        CHECK(row.seed == id.seed);
        CHECK(row.eta == plan.spec().eta[k]);
        CHECK(row.loss_initial == 64);
        CHECK(row.dz2_final == 8 * static_cast<double>(k));
        CHECK(row.kernel_initial == 4);
        CHECK(losses[5 * k] == 64);
    }
    CHECK(rows[0].end.status == Status::done);
    CHECK(rows[0].steps_done == steps);
    CHECK(rows[0].loss_final == 24);
    CHECK(rows[0].loss_min == 8);
    CHECK(rows[0].kernel_final == 2);
    CHECK(losses[2] == 8);
    CHECK(rows[1].end.status == Status::done);
    CHECK(rows[2].end.status == Status::nonfinite);
    CHECK(rows[2].steps_done == 1);
    CHECK(rows[2].loss_final == 16e9);
    CHECK(rows[2].loss_min == 64);
    CHECK(std::isnan(rows[2].kernel_final));
    CHECK(losses[11] == 16e9);
    for (std::size_t t = 12; t < 15; ++t) CHECK(std::isnan(losses[t]));
    CHECK(training().consistent(layout, record));
}

TEST_CASE("training: what is no number is infinite, and no such run is done") {
    const plan::Plan plan(training_spec());
    const auto layout = training().layout(plan.spec());
    auto runs = outcomes(0);
    runs[0].loss = {8, std::nan("")};
    runs[0].dz2_final = std::nan("");
    runs[0].diverged = true;
    runs[1].kernel_final = HUGE_VAL;
    runs[2].loss = {HUGE_VAL};
    const auto record = trial::training_record(layout, plan.id(0), plan.cell_of(0).etas, runs);
    const auto rows = test::rows_of<TrainingRow>(layout.rows(record));
    const auto losses = test::rows_of<double>(layout.table(record, 0));
    for (const auto& row : rows) CHECK(row.end.status == Status::nonfinite);
    CHECK(rows[0].loss_final == HUGE_VAL);
    CHECK(rows[0].loss_min == 8);
    CHECK(rows[0].dz2_final == HUGE_VAL);
    CHECK(losses[1] == HUGE_VAL);
    CHECK(std::isnan(losses[2]));
    CHECK(rows[1].steps_done == steps);
    CHECK(rows[2].steps_done == 0);
    CHECK(rows[2].loss_initial == HUGE_VAL);
    CHECK(training().consistent(layout, record));

    // A trainer that forgets a step.
    runs = outcomes(0);
    runs[1].loss.pop_back();
    CHECK_THROWS(trial::training_record(layout, plan.id(0), plan.cell_of(0).etas, runs));
}

TEST_CASE("training: rows and losses of different runs are not consistent") {
    const plan::Plan plan(training_spec());
    const auto layout = training().layout(plan.spec());
    // The first loss, the last, the smallest, and one beyond the end, of each rate where there is one.
    for (const std::size_t at : {0, 2, 4, 5, 9, 10, 11, 12, 14}) {
        INFO(at);
        auto record = record_of(plan, 3);
        const double other = 0.125;
        std::memcpy(layout.table(record, 0).data() + at * sizeof(double), &other, sizeof(other));
        CHECK_FALSE(training().consistent(layout, record));
    }
    auto record = record_of(plan, 3);
    auto row = test::rows_of<TrainingRow>(layout.row(record, 0)).front();
    row.steps_done = steps + 1;
    std::memcpy(layout.row(record, 0).data(), &row, sizeof(row));
    CHECK_FALSE(training().consistent(layout, record));
}

TEST_CASE("training: a file is written and read, rows and losses, with the user's examples") {
    const test::TemporaryFolder folder;
    const auto path = folder / "training.h5";
    const auto spec = with_data(training_spec());
    {
        auto file = create(path, spec);
        write_all(file);
        file.mark_complete();
    }
    CHECK(std::filesystem::file_size(path) < io::file_bytes(spec, training()) + 24576);
    CHECK(std::filesystem::file_size(path) >= io::file_bytes(spec, training()));
    const auto results = io::read_sweep_file(path);
    CHECK(results.complete);
    CHECK(results.damaged == 0);
    CHECK(results.plan.spec() == spec);
    const auto& table = results.plan.spec().training.data.table;
    REQUIRE(table);
    CHECK(table->x == spec.training.data.table->x);
    CHECK(table->y == spec.training.data.table->y);
    CHECK(table->samples == 2);
    CHECK(table->input_dim == 4);
    REQUIRE(results.tables.size() == 1);
    REQUIRE(results.tables[0].size() == spec.rows() * (steps + 1));
    const auto layout = training().layout(spec);
    for (std::uint64_t i = 0; i < spec.networks(); ++i) {
        const auto record = record_of(results.plan, i);
        const auto losses = test::rows_of<double>(layout.table(record, 0));
        CHECK(std::memcmp(results.tables[0].data() + i * losses.size(), losses.data(), layout.table_bytes(0))
              == 0);
        CHECK(std::memcmp(results.row(3 * i).data(), layout.rows(record).data(), layout.rows_bytes()) == 0);
    }
    // First steps have no table that is analysed, with a profile or without.
    auto first = test::small_spec();
    first.response_profile = true;
    { create(folder / "first.h5", first); }
    CHECK(io::read_sweep_file(folder / "first.h5").tables.empty());
}

TEST_CASE("training: damage is told, and only the damaged are run again") {
    const test::TemporaryFolder folder;
    const auto path = folder / "training.h5";
    const auto spec = training_spec();
    std::vector<std::byte> before;
    {
        auto file = create(path, spec);
        write_all(file);
        file.mark_complete();
    }
    const auto map = io::SweepReader(path).data_map();
    constexpr auto row_bytes = (steps + 1) * sizeof(double);
    test::flip_byte(path, map.trials.offset + 4 * sizeof(TrainingRow)
                              + offsetof(TrainingRow, loss_min));           // network 1
    test::flip_byte(path, map.tables[0].values.offset + 8 * row_bytes + 9); // network 2, its last rate
    test::flip_byte(path, map.tables[0].checks.offset + 15 * sizeof(std::uint32_t)); // network 5, its first
    const auto results = io::read_sweep_file(path);
    CHECK(results.damaged == 3);
    for (std::uint64_t row = 0; row < spec.rows(); ++row) {
        CHECK((trial::status(results.row(row)) == Status::pending) == (row == 4 || row == 8 || row == 15));
        const bool lost = row == 8 || row == 15;
        CHECK(std::isnan(results.tables[0][row * (steps + 1)]) == lost);
    }
    const auto tally = io::SweepReader(path).tally();
    CHECK(tally.damaged == results.damaged);
    CHECK(tally.pending == 3);
    auto file = io::SweepFile::open(path, spec);
    CHECK(file.networks_left() == std::vector<std::uint64_t>{1, 2, 5});
    CHECK(file.damaged_rows() == 3);
    for (const auto network : file.networks_left())
        test::write_record(file, network, record_of(file.plan(), network));
    file.mark_complete();
    CHECK(io::SweepReader(path).tally().finished == spec.networks());
}

TEST_CASE("training: losses of another run than the rows are not for a fit") {
    const test::TemporaryFolder folder;
    const auto path = folder / "training.h5";
    const auto spec = training_spec();
    {
        auto file = create(path, spec);
        write_all(file);
        auto record = record_of(file.plan(), 3);
        const double other = 0.125;
        std::memcpy(file.layout().table(record, 0).data(), &other, sizeof(other));
        test::write_record(file, 3, record);
        file.mark_complete();
    }
    const auto results = io::read_sweep_file(path);
    CHECK(results.damaged == 1);
    for (std::uint64_t row = 0; row < spec.rows(); ++row)
        CHECK((trial::status(results.row(row)) == Status::pending) == (row == 9));
    const auto tally = io::SweepReader(path).tally();
    CHECK(tally.left == std::vector<std::uint64_t>{3});
    CHECK(tally.damaged == 1);
}

TEST_CASE("training: pending and failed networks have no losses") {
    const test::TemporaryFolder folder;
    const auto path = folder / "training.h5";
    const auto spec = training_spec();
    auto file = create(path, spec);
    auto record = std::vector<std::byte>(file.layout().bytes());
    make_unmeasured(file.layout(), file.plan(), 4, Status::failed, record);
    test::write_record(file, 4, record);
    const auto results = io::read_sweep_file(path);
    CHECK(std::all_of(results.tables[0].begin(), results.tables[0].end(),
                      [](double x) { return std::isnan(x); }));
    const auto row = test::rows_of<TrainingRow>(results.row(12)).front();
    CHECK(row.end.status == Status::failed);
    CHECK(row.steps_done == 0);
    CHECK(std::isnan(row.loss_initial));
    const auto tally = io::SweepReader(path).tally();
    CHECK(tally.failed == 1);
    CHECK(tally.pending == spec.networks() - 1);
    CHECK(tally.damaged == 0);
}

TEST_CASE("training: other examples are another sweep, and damaged ones are told") {
    const test::TemporaryFolder folder;
    const auto path = folder / "training.h5";
    const auto spec = with_data(training_spec());
    { create(path, spec); }
    { CHECK(io::SweepFile::open(path, spec).networks_left().size() == spec.networks()); }
    const auto why =
        test::refusal_of<FileError>([&] { io::SweepFile::open(path, with_data(training_spec(), 0.75)); });
    CHECK(why.find("holds another sweep, which --resume alone continues: data has other values than those "
                   "that the sweep began with")
          != std::string::npos);

    // The value of the second y, where the structure is sealed and where it is not.
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const double y[] = {-1, 0.5};
    const auto at = bytes.find(std::string(reinterpret_cast<const char*>(y), sizeof(y)));
    REQUIRE(at != std::string::npos);
    test::flip_byte(path, at + 9);
    const auto reading = [&] { io::SweepReader reader(path); };
    CHECK(test::refusal_of<FileError>(reading).find("is damaged: its structure") != std::string::npos);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 256);
    CHECK(test::refusal_of<FileError>(reading).find("is damaged: its data are not those that its spec names")
          != std::string::npos);
}

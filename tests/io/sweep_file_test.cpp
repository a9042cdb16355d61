#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"

#include "catch.hpp"
#include "io/layout.hpp"
#include "io/seal.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

using namespace etastar;
namespace fs = std::filesystem;
using trial::Status;

namespace {

const io::Provenance provenance{"1.2.3", "abc",      "host", 3,  1,  "mpi", "blas",
                                "core",  "openblas", "",     "", "", ""};

io::SweepFile create(const fs::path& path, const sweep::Spec& spec, bool overwrite = false) {
    return io::SweepFile::create(path, plan::Plan(spec), provenance, overwrite);
}

const trial::Kind& first_step() { return trial::find_kind("first-step"); }

std::vector<std::byte> record_of(const io::SweepFile& file, std::uint64_t network, double value = 0.5) {
    return test::made_up_record(file.plan(), file.layout(), network, value);
}

// Writes a network's record with another row in place of its k-th.
void write_with_row(io::SweepFile& file, std::uint64_t network, std::size_t k, trial::FirstStepRow row) {
    auto record = record_of(file, network);
    std::memcpy(file.layout().row(record, k).data(), &row, sizeof(row));
    test::write_record(file, network, record);
}
trial::FirstStepRow row_of(const io::SweepFile& file, std::uint64_t network, std::size_t k) {
    return test::rows_of<>(file.layout().rows(record_of(file, network))).at(k);
}

std::size_t entries(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

} // namespace

TEST_CASE("a new file is a whole table of pending rows, readable at once") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto spec = test::small_spec();
    spec.response_profile = true;
    auto file = create(path, spec);
    CHECK(entries(folder.path()) == 2); // and its lock
    auto table = io::read_sweep_file(path);
    const auto rows = test::rows_of(table);
    CHECK(table.plan.spec() == spec);
    CHECK_FALSE(table.complete);
    CHECK(table.damaged == 0);
    REQUIRE(rows.size() == spec.rows());
    for (std::uint64_t i = 0; i < spec.rows(); ++i) {
        const auto id = table.plan.id(i / spec.eta.size());
        const auto& row = rows[i];
        CHECK(row.end.status == Status::pending);
        CHECK(row.width == id.width);
        CHECK(row.depth == id.depth);
        CHECK(row.seed == id.seed);
        CHECK(row.eta == spec.eta[i % spec.eta.size()]);
        CHECK(std::isnan(row.loss));
    }
    CHECK(fs::file_size(path) >= io::file_bytes(spec, first_step()));
    CHECK(fs::file_size(path) < io::file_bytes(spec, first_step()) + 24576);
}

TEST_CASE("rows written are read back, while the file is open and after") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    auto file = create(path, spec);
    test::write_network(file, 3);
    test::write_network(file, 0);
    auto table = io::read_sweep_file(path);
    for (std::uint64_t i = 0; i < spec.rows(); ++i) {
        const auto network = i / spec.eta.size();
        CHECK(test::rows_of(table)[i].end.status
              == (network == 0 || network == 3 ? Status::done : Status::pending));
    }
    CHECK_FALSE(table.complete);
    for (std::uint64_t network = 0; network < spec.networks(); ++network) test::write_network(file, network);
    file.mark_complete();
    table = io::read_sweep_file(path);
    CHECK(table.complete);
    CHECK(table.damaged == 0);
    CHECK(test::rows_of(table).back().dz2_last == 0.5);
}

TEST_CASE("finished networks go where they belong, neighbours or not") {
    const test::TemporaryFolder folder;
    auto spec = test::small_spec();
    spec.response_profile = true;
    const std::vector<std::vector<std::uint64_t>> lists{{},        {0},          {19},
                                                        {0, 1, 2}, {0, 2, 3, 7}, {4, 5, 18, 19}};
    for (const auto& list : lists) {
        const auto path = folder / "sweep.h5";
        {
            auto file = create(path, spec, true);
            std::vector<std::vector<std::byte>> records;
            std::vector<io::FinishedNetwork> networks;
            for (const auto network : list)
                records.push_back(record_of(file, network, static_cast<double>(network)));
            for (std::size_t i = 0; i < list.size(); ++i) networks.push_back({list[i], records[i]});
            file.write_networks(networks);
        }
        io::SweepReader reader(path);
        const auto tally = reader.tally();
        CHECK(tally.finished == list.size());
        CHECK(tally.damaged == 0);
        std::vector<std::byte> record(reader.layout().bytes());
        for (const auto network : list) {
            CHECK(std::find(tally.left.begin(), tally.left.end(), network) == tally.left.end());
            reader.read_records(network, 1, record);
            CHECK(record
                  == test::made_up_record(reader.plan(), reader.layout(), network,
                                          static_cast<double>(network)));
        }
        CHECK(tally.left.size() == spec.networks() - list.size());
    }
}

TEST_CASE("the absolute rates of the file are what counts") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto spec = test::small_spec();
    spec.eta_unit = sweep::EtaUnit::linear;
    // As another version of theory would round them.
    const plan::Plan here(spec);
    auto etas = here.etas();
    for (double& eta : etas) eta = std::nextafter(eta, 1e9);
    const plan::Plan theirs(spec, etas, "another theory");
    {
        auto file = io::SweepFile::create(path, theirs, provenance, false);
        CHECK(file.plan().etas() == etas);
        for (std::uint64_t i = 0; i < spec.networks(); ++i) test::write_network(file, i);
        // A row at the rate of this version, in an otherwise finished network.
        auto row = row_of(file, 5, 1);
        row.eta = here.cell_of(5).etas[1];
        write_with_row(file, 5, 1, test::sealed(row));
    }
    io::SweepReader reader(path);
    CHECK(reader.plan().etas() == etas);
    CHECK(reader.plan().unit_theory() == "another theory");
    const auto tally = reader.tally();
    CHECK(tally.finished == spec.networks() - 1);
    CHECK(tally.damaged == 1);
    CHECK(tally.left == std::vector<std::uint64_t>{5});
    {
        auto file = io::SweepFile::open(path, spec);
        CHECK(file.networks_left() == tally.left);
        CHECK(file.plan().etas() == etas);
        CHECK(file.plan().etas() != here.etas());
        test::write_network(file, 5);
        file.mark_complete();
    }
    auto table = io::read_sweep_file(path);
    CHECK(table.damaged == 0);
    CHECK(test::rows_of(table)[5 * spec.eta.size() + 1].eta == theirs.cell_of(5).etas[1]);
    // The same through open_or_create, with this version's plan.
    CHECK(io::SweepFile::open_or_create(path, here, provenance).plan().etas() == etas);
}

TEST_CASE("an existing file is kept unless it may be overwritten") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    std::ofstream(path) << "precious";
    CHECK_THROWS_AS(create(path, spec), FileError);
    CHECK(fs::file_size(path) == 8);
    CHECK(entries(folder.path()) == 1);
    CHECK_NOTHROW(create(path, spec, true));
    CHECK(io::read_sweep_file(path).plan.spec() == spec);
    CHECK(entries(folder.path()) == 1);
}

TEST_CASE("a file that cannot be created says so and leaves nothing behind") {
    const test::TemporaryFolder folder;
    const auto refused = [&](const fs::path& path, bool overwrite) {
        try {
            create(path, test::small_spec(), overwrite);
            FAIL_CHECK("created " << path);
        } catch (const FileError& error) {
            CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
        }
    };
    refused(folder / "missing/sweep.h5", false);
    refused(folder.path(), true);
    CHECK(entries(folder.path()) == 0);
}

TEST_CASE("damaged rows are pending and counted") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    {
        auto file = create(path, spec);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            test::write_network(file, network);
        // A row torn in the middle, and an intact row of another place.
        auto torn = row_of(file, 1, 0);
        torn.dz2_last = 0.75;
        write_with_row(file, 1, 0, torn);
        write_with_row(file, 2, 0, row_of(file, 5, 1));
        file.mark_complete();
    }
    auto table = io::read_sweep_file(path);
    const auto rows = test::rows_of(table);
    CHECK(table.damaged == 2);
    CHECK(rows[spec.eta.size()].end.status == Status::pending);
    CHECK(rows[2 * spec.eta.size()].end.status == Status::pending);
    CHECK(rows[2 * spec.eta.size()].seed == table.plan.id(2).seed);
}

TEST_CASE("what is not a sweep file is refused by name") {
    const test::TemporaryFolder folder;
    const auto path = folder / "other.h5";
    CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    {
        std::ofstream(path)
            << "not HDF5 at all, but longer than a superblock, so that the reader looks at it twice and more";
    }
    CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    CHECK_THROWS_AS(io::read_sweep_file(folder.path()), FileError);

    // A sweep file cut short.
    const auto whole = folder / "whole.h5";
    create(whole, test::small_spec());
    for (const double fraction : {0.0, 0.05, 0.3, 0.9}) {
        fs::copy_file(whole, path, fs::copy_options::overwrite_existing);
        fs::resize_file(path,
                        static_cast<std::uintmax_t>(fraction * static_cast<double>(fs::file_size(whole))));
        INFO(fraction);
        CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    }
}

namespace {

std::string refusal(const fs::path& path, const sweep::Spec& spec) {
    return test::refusal_of<FileError>([&] { io::SweepFile::open(path, spec); });
}

} // namespace

TEST_CASE("an interrupted file is continued where it stopped") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    {
        auto file = create(path, spec);
        for (std::uint64_t network = 0; network < spec.networks(); network += 2)
            test::write_network(file, network);
        write_with_row(file, 0, 1, test::unmeasured({8, 2, 0}, spec.eta[1], Status::failed));
    }
    // Torn: its second half never arrived.
    const auto trials = io::SweepReader(path).data_map().trials.offset;
    test::flip_byte(path, trials + 4 * spec.eta.size() * sizeof(trial::FirstStepRow) + 100);
    {
        auto file = io::SweepFile::open(path, spec);
        CHECK(file.damaged_rows() == 1);
        CHECK(file.networks_left().size() == spec.networks() / 2 + 2);
        CHECK(file.networks_left()[0] == 0); // failed before
        CHECK(std::count(file.networks_left().begin(), file.networks_left().end(), 4) == 1);
        for (const auto network : std::vector(file.networks_left())) test::write_network(file, network);
        file.mark_complete();
    }
    const auto table = io::read_sweep_file(path);
    CHECK(table.complete);
    CHECK(table.damaged == 0);
    CHECK(io::SweepFile::open(path, spec).networks_left().empty());
    CHECK(io::SweepReader(path).complete());
}

TEST_CASE("the file of another sweep is not continued, and the message names what differs") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto spec = test::small_spec();
    create(path, spec);
    spec.depth = {2, 5};
    spec.seeds = 6;
    const auto text = refusal(path, spec);
    CHECK(text.find("depth is [2,3] there, [2,5] is asked for") != std::string::npos);
    CHECK(text.find("seeds is 5 there, 6 is asked for") != std::string::npos);
    CHECK(text.find("width") == std::string::npos);
}

TEST_CASE("every byte outside the rows is guarded") {
    const test::TemporaryFolder folder;
    const auto whole = folder / "whole.h5";
    const auto path = folder / "flipped.h5";
    auto spec = test::small_spec();
    spec.response_profile = true;
    {
        auto file = create(whole, spec);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            test::write_network(file, network);
    }
    const auto size = fs::file_size(whole);
    const auto map = io::SweepReader(whole).data_map();
    const auto within = [](std::uint64_t at, const io::Extent& extent) {
        return at >= extent.offset && at < extent.offset + extent.bytes;
    };
    REQUIRE(map.tables.size() == 1);
    CHECK(map.trials.bytes == spec.rows() * sizeof(trial::FirstStepRow));
    CHECK(map.tables[0].values.bytes == spec.networks() * 3 * sizeof(double));
    CHECK(map.tables[0].checks.bytes == spec.networks() * sizeof(std::uint32_t));
    std::uint64_t unnoticed = 0;
    for (std::uint64_t at = 0; at < size; at += at % 7 + 1) {
        fs::copy_file(whole, path, fs::copy_options::overwrite_existing);
        test::flip_byte(path, at);
        const bool is_row = within(at, map.trials);
        const bool is_table = within(at, map.tables[0].values) || within(at, map.tables[0].checks);
        try {
            const auto table = io::read_sweep_file(path);
            if (is_row)
                CHECK(table.damaged == 1);
            else if (is_table)
                CHECK(io::SweepReader(path).tally().damaged == 1);
            else
                ++unnoticed;
        } catch (const FileError& error) {
            CHECK_FALSE(is_row);
            CHECK(std::string(error.what()).find("is damaged") != std::string::npos);
        }
    }
    // The time at which the sweep was finished, a NaN in either case, and one of the seal's two copies.
    CHECK(unnoticed <= 8 + io::seal_bytes / 2);
}

TEST_CASE("a file that HDF5 has changed is still read and continued") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    { auto file = create(path, spec); }
    const auto sealed = fs::file_size(path);
    fs::resize_file(path, sealed - io::seal_bytes); // as HDF5 does when it opens a file for writing
    CHECK(io::read_sweep_file(path).damaged == 0);
    fs::resize_file(path, sealed - 100);
    CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    fs::resize_file(path, sealed - io::seal_bytes);
    {
        auto file = io::SweepFile::open(path, spec);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            test::write_network(file, network);
        file.mark_complete();
    }
    CHECK(fs::file_size(path) == sealed);
    CHECK(io::read_sweep_file(path).complete);
}

TEST_CASE("a file that is moved away or replaced ends its writer") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto file = create(path, test::small_spec());
    CHECK_NOTHROW(file.check());
    fs::rename(path, folder / "elsewhere.h5");
    CHECK_THROWS_AS(file.check(), FileError);
    fs::copy_file(folder / "elsewhere.h5", path);
    CHECK_THROWS_AS(file.check(), FileError);
}

#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>
#include <fstream>

using namespace etastar;
namespace fs = std::filesystem;
using sweep::Status;

namespace {

const io::Provenance provenance{"1.2.3", "abc", "host", 3, "mpi", "blas", "core", "", "", ""};

sweep::TrialRow measured(const sweep::Spec& spec, std::uint64_t network, std::size_t k) {
    const auto id = spec.network(network);
    auto row = sweep::unmeasured_row(id.width, id.depth, id.seed, spec.eta[k], Status::done);
    row.dz2_last = 0.5;
    return sealed(row);
}

void write_network(io::SweepFile& file, const sweep::Spec& spec, std::uint64_t network) {
    std::vector<sweep::TrialRow> rows;
    for (std::size_t k = 0; k < spec.eta.size(); ++k) rows.push_back(measured(spec, network, k));
    file.write_rows(network * spec.eta.size(), rows);
}

std::size_t entries(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

} // namespace

TEST_CASE("a new file is a whole table of pending rows, readable at once") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto spec = test::small_spec();
    spec.profile = true;
    auto file = io::SweepFile::create(path, spec, provenance, false);
    CHECK(entries(folder.path()) == 2); // and its lock
    const auto table = io::read_sweep_file(path);
    CHECK(table.spec == spec);
    CHECK_FALSE(table.complete);
    CHECK(table.damaged == 0);
    REQUIRE(table.rows.size() == spec.rows());
    for (std::uint64_t i = 0; i < spec.rows(); ++i) {
        const auto id = spec.network(i / spec.eta.size());
        const auto& row = table.rows[i];
        CHECK(row.status == Status::pending);
        CHECK(row.width == id.width);
        CHECK(row.depth == id.depth);
        CHECK(row.seed == id.seed);
        CHECK(row.eta == spec.eta[i % spec.eta.size()]);
        CHECK(std::isnan(row.loss));
    }
    CHECK(fs::file_size(path) >= io::file_bytes(spec));
    CHECK(fs::file_size(path) < io::file_bytes(spec) + 16384);
}

TEST_CASE("rows written are read back, while the file is open and after") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    auto file = io::SweepFile::create(path, spec, provenance, false);
    write_network(file, spec, 3);
    write_network(file, spec, 0);
    auto table = io::read_sweep_file(path);
    for (std::uint64_t i = 0; i < spec.rows(); ++i) {
        const auto network = i / spec.eta.size();
        CHECK(table.rows[i].status == (network == 0 || network == 3 ? Status::done : Status::pending));
    }
    CHECK_FALSE(table.complete);
    for (std::uint64_t network = 0; network < spec.networks(); ++network) write_network(file, spec, network);
    file.mark_complete();
    table = io::read_sweep_file(path);
    CHECK(table.complete);
    CHECK(table.damaged == 0);
    CHECK(table.rows.back().dz2_last == 0.5);
}

TEST_CASE("an existing file is kept unless it may be overwritten") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    std::ofstream(path) << "precious";
    CHECK_THROWS_AS(io::SweepFile::create(path, spec, provenance, false), FileError);
    CHECK(fs::file_size(path) == 8);
    CHECK(entries(folder.path()) == 1);
    CHECK_NOTHROW(io::SweepFile::create(path, spec, provenance, true));
    CHECK(io::read_sweep_file(path).spec == spec);
    CHECK(entries(folder.path()) == 1);
}

TEST_CASE("a file that cannot be created says so and leaves nothing behind") {
    const test::TemporaryFolder folder;
    const auto refused = [&](const fs::path& path, bool overwrite) {
        try {
            io::SweepFile::create(path, test::small_spec(), provenance, overwrite);
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
        auto file = io::SweepFile::create(path, spec, provenance, false);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            write_network(file, spec, network);
        // A row torn in the middle, and an intact row of another place.
        auto torn = measured(spec, 1, 0);
        torn.dz2_last = 0.75;
        file.write_rows(spec.eta.size(), {&torn, 1});
        const auto misplaced = measured(spec, 5, 1);
        file.write_rows(2 * spec.eta.size(), {&misplaced, 1});
        file.mark_complete();
    }
    const auto table = io::read_sweep_file(path);
    CHECK(table.damaged == 2);
    CHECK(table.rows[spec.eta.size()].status == Status::pending);
    CHECK(table.rows[2 * spec.eta.size()].status == Status::pending);
    CHECK(table.rows[2 * spec.eta.size()].seed == spec.network(2).seed);
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
    io::SweepFile::create(whole, test::small_spec(), provenance, false);
    for (const double fraction : {0.0, 0.05, 0.3, 0.9}) {
        fs::copy_file(whole, path, fs::copy_options::overwrite_existing);
        fs::resize_file(path,
                        static_cast<std::uintmax_t>(fraction * static_cast<double>(fs::file_size(whole))));
        INFO(fraction);
        CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    }
}

#include "etastar/error.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/io/sweep_reader.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>

using namespace etastar;
namespace fs = std::filesystem;
using sweep::Status;

namespace {

const io::Provenance provenance{"1.2.3", "abc", "host", 3, "mpi", "blas", "core", "openblas", "", "", ""};

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

TEST_CASE("finished networks go where they belong, neighbours or not") {
    const test::TemporaryFolder folder;
    auto spec = test::small_spec();
    spec.profile = true;
    const std::vector<std::vector<std::uint64_t>> lists{{},        {0},          {19},
                                                        {0, 1, 2}, {0, 2, 3, 7}, {4, 5, 18, 19}};
    for (const auto& list : lists) {
        std::vector<std::vector<sweep::TrialRow>> rows;
        std::vector<std::vector<double>> responses;
        std::vector<io::FinishedNetwork> networks;
        for (const auto network : list) {
            rows.emplace_back();
            for (std::size_t k = 0; k < spec.eta.size(); ++k) {
                auto row = measured(spec, network, k);
                row.response_last = static_cast<double>(network);
                rows.back().push_back(sealed(row));
            }
            responses.emplace_back(spec.network(network).depth, static_cast<double>(network));
        }
        for (std::size_t i = 0; i < list.size(); ++i) networks.push_back({list[i], rows[i], responses[i]});
        const auto path = folder / "sweep.h5";
        {
            auto file = io::SweepFile::create(path, spec, provenance, true);
            file.write_networks(networks);
        }
        io::SweepReader reader(path);
        const auto tally = reader.tally();
        CHECK(tally.finished == list.size());
        CHECK(tally.damaged == 0);
        for (const auto network : list) {
            CHECK(std::find(tally.left.begin(), tally.left.end(), network) == tally.left.end());
            CHECK(reader.read_profile(network).front() == static_cast<double>(network));
        }
        CHECK(tally.left.size() == spec.networks() - list.size());
    }
}

TEST_CASE("rates that another version rounded otherwise count as finished, and are run again when resumed") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    {
        auto file = io::SweepFile::create(path, spec, provenance, false);
        for (std::uint64_t i = 0; i < spec.networks(); ++i) write_network(file, spec, i);
        auto row = measured(spec, 5, 1);
        row.eta = std::nextafter(row.eta, 1.0);
        row = sealed(row);
        file.write_rows(5 * spec.eta.size() + 1, {&row, 1});
    }
    const auto tally = io::SweepReader(path).tally();
    CHECK(tally.finished == spec.networks());
    CHECK(tally.pending + tally.damaged == 0);
    CHECK(tally.left == std::vector<std::uint64_t>{5});
    CHECK(io::SweepFile::open(path, spec).networks_left() == tally.left);
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

namespace {

void flip(const fs::path& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char old = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(old ^ 0x10));
}

std::string refusal(const fs::path& path, const sweep::Spec& spec) {
    try {
        io::SweepFile::open(path, spec);
    } catch (const FileError& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("an interrupted file is continued where it stopped") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    {
        auto file = io::SweepFile::create(path, spec, provenance, false);
        for (std::uint64_t network = 0; network < spec.networks(); network += 2)
            write_network(file, spec, network);
        auto failed = sweep::unmeasured_row(8, 2, 0, spec.eta[1], Status::failed);
        file.write_rows(1, {&failed, 1});
    }
    // Torn: its second half never arrived.
    const auto trials = io::SweepReader(path).trials_offset();
    flip(path, trials + 4 * spec.eta.size() * sizeof(sweep::TrialRow) + 100);
    {
        auto file = io::SweepFile::open(path, spec);
        CHECK(file.damaged() == 1);
        CHECK(file.networks_left().size() == spec.networks() / 2 + 2);
        CHECK(file.networks_left()[0] == 0); // failed before
        CHECK(std::count(file.networks_left().begin(), file.networks_left().end(), 4) == 1);
        for (const auto network : std::vector(file.networks_left())) write_network(file, spec, network);
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
    io::SweepFile::create(path, spec, provenance, false);
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
    spec.profile = true;
    {
        auto file = io::SweepFile::create(whole, spec, provenance, false);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            write_network(file, spec, network);
    }
    const auto size = fs::file_size(whole);
    const auto trials = io::SweepReader(whole).trials_offset();
    const auto profile = io::SweepReader(whole).profile_offset();
    std::uint64_t unnoticed = 0;
    for (std::uint64_t at = 0; at < size; at += at % 7 + 1) {
        fs::copy_file(whole, path, fs::copy_options::overwrite_existing);
        flip(path, at);
        const bool is_row = at >= trials && at < trials + spec.rows() * sizeof(sweep::TrialRow);
        const auto checks = profile + spec.networks() * 3 * sizeof(double);
        const bool is_profile = at >= profile && at < checks + spec.networks() * sizeof(std::uint32_t);
        try {
            const auto table = io::read_sweep_file(path);
            if (is_row)
                CHECK(table.damaged == 1);
            else if (!is_profile)
                ++unnoticed;
        } catch (const FileError& error) {
            CHECK_FALSE(is_row);
            CHECK(std::string(error.what()).find("is damaged") != std::string::npos);
        }
    }
    // The time at which the sweep was finished, a NaN in either case, and one of the seal's two copies.
    CHECK(unnoticed <= 8 + 96);
}

TEST_CASE("a file that HDF5 has changed is still read and continued") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto spec = test::small_spec();
    { auto file = io::SweepFile::create(path, spec, provenance, false); }
    const auto sealed = fs::file_size(path);
    fs::resize_file(path, sealed - 192); // as HDF5 does when it opens a file for writing
    CHECK(io::read_sweep_file(path).damaged == 0);
    fs::resize_file(path, sealed - 100);
    CHECK_THROWS_AS(io::read_sweep_file(path), FileError);
    fs::resize_file(path, sealed - 192);
    {
        auto file = io::SweepFile::open(path, spec);
        for (std::uint64_t network = 0; network < spec.networks(); ++network)
            write_network(file, spec, network);
        file.mark_complete();
    }
    CHECK(fs::file_size(path) == sealed);
    CHECK(io::read_sweep_file(path).complete);
}

TEST_CASE("a file that is moved away or replaced ends its writer") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto file = io::SweepFile::create(path, test::small_spec(), provenance, false);
    CHECK_NOTHROW(file.check());
    fs::rename(path, folder / "elsewhere.h5");
    CHECK_THROWS_AS(file.check(), FileError);
    fs::copy_file(folder / "elsewhere.h5", path);
    CHECK_THROWS_AS(file.check(), FileError);
}

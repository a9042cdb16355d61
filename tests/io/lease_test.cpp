#include "etastar/error.hpp"
#include "etastar/io/lease.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <fcntl.h>

#include <fstream>
#include <sstream>

using namespace etastar;
using io::Lease;
using io::Writer;
namespace fs = std::filesystem;

namespace {

Writer attempt(std::uint64_t number) {
    auto writer = Writer::here();
    writer.job = "12";
    writer.attempt = number;
    return writer;
}

std::string refusal(const fs::path& path, const Writer& writer) {
    return test::refusal_of<FileError>([&] { Lease::acquire(path, writer); });
}

} // namespace

TEST_CASE("a lease keeps others out while it lasts, and leaves nothing behind") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    {
        auto lease = Lease::acquire(path);
        CHECK(fs::exists(folder / "sweep.h5.lock"));
        const auto text = refusal(path, Writer::here());
        CHECK(text.find("sweep.h5: is being written by another sweep, PID " + std::to_string(getpid()))
              != std::string::npos);
        CHECK(Lease::holder(path)->pid == getpid());
        CHECK_NOTHROW(lease.check());
    }
    CHECK_FALSE(fs::exists(folder / "sweep.h5.lock"));
    CHECK_FALSE(Lease::holder(path).has_value());
    CHECK_NOTHROW(Lease::acquire(path));
}

TEST_CASE("the lock of a dead writer is taken at once, and so is a garbled one") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    std::string left;
    {
        const auto lease = Lease::acquire(path);
        std::stringstream text;
        text << std::ifstream(folder / "sweep.h5.lock").rdbuf();
        left = text.str();
    }
    for (const auto& text : {left, std::string("garbage"), std::string("{\"host\": 3}"), std::string()}) {
        std::ofstream(folder / "sweep.h5.lock") << text;
        auto lease = Lease::acquire(path);
        CHECK_NOTHROW(lease.check());
    }
}

TEST_CASE("what a writer tells of its work is heard, and does not look like another's lock") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    CHECK_FALSE(Lease::heard(path).has_value());
    {
        auto lease = Lease::acquire(path);
        auto heard = Lease::heard(path);
        REQUIRE(heard);
        CHECK(heard->certain);
        CHECK_FALSE(heard->advance.has_value());
        for (const std::uint64_t networks : {std::uint64_t{12345678901}, std::uint64_t{3}}) {
            lease.tell({1769860800.25, 1769860900.5, networks, 1e-5, 123456.75});
            heard = Lease::heard(path);
            REQUIRE(heard);
            REQUIRE(heard->advance);
            CHECK(heard->writer.pid == getpid());
            CHECK(heard->advance->started == 1769860800.25);
            CHECK(heard->advance->told == 1769860900.5);
            CHECK(heard->advance->networks == networks);
            CHECK(heard->advance->done == 1e-5);
            CHECK(heard->advance->work == 123456.75);
            CHECK_NOTHROW(lease.check());
        }
        CHECK(refusal(path, Writer::here()).find("is being written") != std::string::npos);
    }
    CHECK_FALSE(fs::exists(folder / "sweep.h5.lock"));
}

TEST_CASE("a later attempt of the same job takes over, and the earlier one notices") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    auto older = Lease::acquire(path, attempt(0));
    CHECK(refusal(path, attempt(0)).find("(job 12, attempt 1)") != std::string::npos);
    auto stranger = attempt(1);
    stranger.job = "13";
    CHECK_FALSE(refusal(path, stranger).empty());
    {
        auto newer = Lease::acquire(path, attempt(1));
        CHECK_THROWS_AS(older.check(), FileError);
        CHECK_NOTHROW(newer.check());
        CHECK_FALSE(refusal(path, attempt(0)).empty());
    }
    CHECK_FALSE(fs::exists(folder / "sweep.h5.lock"));
}

TEST_CASE("an older writer that ends leaves the newer one's lock alone") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    std::optional<Lease> older = Lease::acquire(path, attempt(0));
    auto newer = Lease::acquire(path, attempt(1));
    older.reset();
    CHECK(fs::exists(folder / "sweep.h5.lock"));
    CHECK_NOTHROW(newer.check());
}

TEST_CASE("a lock that disappears ends the lease") {
    const test::TemporaryFolder folder;
    auto lease = Lease::acquire(folder / "sweep.h5");
    fs::remove(folder / "sweep.h5.lock");
    CHECK_THROWS_AS(lease.check(), FileError);
}

TEST_CASE("a writer on another node is believed to be alive only while it touches its lock") {
    const test::TemporaryFolder folder;
    auto elsewhere = Writer::here();
    elsewhere.boot = "another kernel";
    const auto path = folder / "sweep.h5";
    {
        std::ofstream(folder / "sweep.h5.lock")
            << R"({"host":"far","pid":1,"job":"","boot":"another kernel","attempt":0,"token":"x"})";
    }
    CHECK_NOTHROW(Lease::acquire(path)); // after some seconds
}

TEST_CASE("a file is not claimed under two names at once") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto link = folder / "link.h5";
    const auto open = [](const fs::path& name) {
        return io::Descriptor(::open(name.c_str(), O_RDWR | O_CREAT, 0666));
    };
    const auto first = open(path);
    fs::create_hard_link(path, link);
    fs::create_directory_symlink(folder.path(), folder / "here");
    const auto second = open(link);
    const auto third = open(path);
    io::claim_name(first.get(), path);
    std::string text;
    try {
        io::claim_name(second.get(), link);
    } catch (const FileError& error) {
        text = error.what();
    }
    CHECK(text.find("link.h5: is being written by another sweep under another name") != std::string::npos);
    // Writers of one name have the lease between them, by whatever way they come to it.
    CHECK_NOTHROW(io::claim_name(third.get(), folder / "here/sweep.h5"));
    // What flock(LOCK_SH) of a reader is on NFS.
    struct flock whole = {};
    whole.l_type = F_RDLCK;
    whole.l_whence = SEEK_SET;
    const io::Descriptor reader(::open(path.c_str(), O_RDONLY));
    CHECK(::fcntl(reader.get(), F_OFD_SETLK, &whole) == 0);
    CHECK_NOTHROW(io::claim_name(third.get(), path));
    const auto other = open(folder / "other.h5");
    CHECK_NOTHROW(io::claim_name(other.get(), folder / "other.h5"));
}

TEST_CASE("a claim ends with the open file") {
    const test::TemporaryFolder folder;
    const auto path = folder / "sweep.h5";
    const auto open = [](const fs::path& name) {
        return io::Descriptor(::open(name.c_str(), O_RDWR | O_CREAT, 0666));
    };
    {
        const auto first = open(path);
        fs::create_hard_link(path, folder / "link.h5");
        io::claim_name(first.get(), path);
    }
    const auto second = open(folder / "link.h5");
    CHECK_NOTHROW(io::claim_name(second.get(), folder / "link.h5"));
}

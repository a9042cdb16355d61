#pragma once

#include "etastar/io/descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace etastar::io {

// Who writes a file.
struct Writer {
    std::string host;
    std::string boot; // of the running kernel: two machines may share a name
    long pid = 0;
    std::string job;           // of the batch system, empty outside one
    std::uint64_t attempt = 0; // how often that has started the job again
    std::string token;         // different for every writer

    // This process; inside Slurm with SLURM_JOB_ID (or the array's id and task) and SLURM_RESTART_COUNT.
    static Writer here();

    // "PID 71 on node7 (job 12, attempt 2)"
    std::string describe() const;
};

// What a writer tells of its work, by its own clock: seconds since 1970 when it began and when it told this, the networks
// finished in between, and the expected seconds of these and of all it has to do.
struct Advance {
    double started = 0;
    double told = 0;
    std::uint64_t networks = 0;
    double done = 0;
    double work = 0;
};

// What NAME.lock says of a writer.
struct Heard {
    Writer writer;
    bool certain = false; // its lock is held; else it is on another node, and may have died
    double at = 0;        // when NAME.lock was touched last, seconds since 1970
    std::optional<Advance> advance;
};

// The right to write one file, as NAME.lock beside it.
//
// Within one kernel, and between nodes where the file system has locks, an flock(2) on NAME.lock keeps others out;
// it ends with its process, however that ends. Some file systems have no locks between nodes, and some sites
// switch HDF5's off: so NAME.lock also names its writer, who touches it every second, and a writer on another node
// that still does is believed to be alive.
//
// When a batch system starts a job again while the ranks of its first attempt still run, cut off from it, the
// new attempt replaces NAME.lock by its own. The older writer sees that in check() and has to stop.
class Lease {
public:
    // Throws FileError naming the writer that holds the file.
    static Lease acquire(const std::filesystem::path& file, const Writer& writer = Writer::here());

    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = default;
    ~Lease();

    // Touches NAME.lock. Throws FileError when another writer has replaced it, or when it is gone.
    void check();

    // Puts this on the second line of NAME.lock, for Lease::heard. What prevents it is no reason to stop.
    void tell(const Advance& advance);

    // Who writes the file, if anybody seems to.
    static std::optional<Heard> heard(const std::filesystem::path& file);
    static std::optional<Writer> holder(const std::filesystem::path& file);

private:
    Lease(std::filesystem::path file, Descriptor lock, std::string text)
        : file_(std::move(file)), lock_(std::move(lock)), text_(std::move(text)) {}

    std::filesystem::path file_;
    Descriptor lock_;
    std::string text_; // first line of NAME.lock as this writer wrote it
};

// Against a second writer through another hard link, which has a NAME.lock of its own: every writer holds a shared
// lock on one byte of the file itself, far beyond any file's end, whose offset follows from the name. Throws
// FileError while somebody holds another's byte. The lock ends with the open file, however its process ends; writers
// under the same name, an older one that is being replaced among them, do not see each other's. Shared with shared
// never collides: readers may lock the whole file, as flock(LOCK_SH) does on NFS. Where there are no such locks it
// does nothing.
//
// `descriptor` is open for reading and writing, and stays open as long as the file is written; `file` is its name.
void claim_name(int descriptor, const std::filesystem::path& file);

} // namespace etastar::io

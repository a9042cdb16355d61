#include "etastar/io/lease.hpp"

#include "etastar/error.hpp"
#include "etastar/host.hpp"

#include "system.hpp"

#include <boost/uuid/name_generator.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace etastar::io {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A sweep that was just killed may take a moment to disappear.
constexpr auto patience_here = 3s;
// A writer on another node touches its lock every second; network file systems show it late.
constexpr auto patience_elsewhere = 8s;
constexpr auto look_interval = 100ms;
// A lock has fewer bytes; what has more is somebody's file.
constexpr std::size_t most_bytes = 4096;

fs::path lock_of(const fs::path& file) { return file.string() + ".lock"; }

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string to_text(const Writer& writer) {
    return nlohmann::ordered_json{{"host", writer.host}, {"pid", writer.pid},         {"job", writer.job},
                                  {"boot", writer.boot}, {"attempt", writer.attempt}, {"token", writer.token}}
               .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
           + "\n";
}

// What `read` takes from a line of a lock; none where it is not such a line, or is being written.
template <class Told, class Read>
std::optional<Told> told_by_line(std::string_view line, Read&& read) {
    const auto tree = nlohmann::json::parse(line, nullptr, false);
    if (!tree.is_object()) return std::nullopt;
    try {
        Told told;
        read(tree, told);
        return told;
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

std::optional<Writer> from_text(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    return told_by_line<Writer>(text->substr(0, text->find('\n')), [](const auto& tree, Writer& writer) {
        tree.at("host").get_to(writer.host);
        tree.at("pid").get_to(writer.pid);
        tree.at("job").get_to(writer.job);
        tree.at("boot").get_to(writer.boot);
        tree.at("attempt").get_to(writer.attempt);
        tree.at("token").get_to(writer.token);
    });
}

// As many bytes whatever it says: it is overwritten in place.
std::string to_text(const Advance& advance) {
    constexpr std::size_t bytes = 256;
    auto text = nlohmann::ordered_json{{"started", advance.started},
                                       {"told", advance.told},
                                       {"networks", advance.networks},
                                       {"done", advance.done},
                                       {"work", advance.work}}
                    .dump();
    text.resize(bytes - 1, ' ');
    return text + "\n";
}

// Of the second line of a lock.
std::optional<Advance> advance_from_text(const std::string& text) {
    const auto first = text.find('\n');
    if (first == std::string::npos) return std::nullopt;
    return told_by_line<Advance>(text.substr(first + 1), [](const auto& tree, Advance& advance) {
        tree.at("started").get_to(advance.started);
        tree.at("told").get_to(advance.told);
        tree.at("networks").get_to(advance.networks);
        tree.at("done").get_to(advance.done);
        tree.at("work").get_to(advance.work);
    });
}

// At whatever stands there: a pipe would wait for its other end.
Descriptor open_to_look(const fs::path& path) {
    return Descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

// None if it cannot be read.
std::optional<std::string> contents(int descriptor) {
    std::string text(most_bytes, '\0');
    const auto count = ::pread(descriptor, text.data(), text.size(), 0);
    if (count < 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(count));
    return text;
}

// The same attempt of the same job never follows itself: that would be two launches within one script.
bool follows(const Writer& later, const Writer& earlier) {
    return !later.job.empty() && later.job == earlier.job && later.attempt > earlier.attempt;
}

[[noreturn]] void refuse(const fs::path& file, const std::optional<Writer>& holder) {
    throw FileError(fmt::format("{}: is being written by another sweep{}", file.string(),
                                holder ? ", " + holder->describe() : std::string()));
}

enum class Flock { taken, held_by_another, not_supported };

Flock try_flock(int descriptor) {
    while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return Flock::held_by_another;
        if (errno != EINTR) return Flock::not_supported;
    }
    return Flock::taken;
}

bool is_at(int descriptor, const fs::path& path) {
    struct stat open_file = {};
    struct stat named = {};
    return ::fstat(descriptor, &open_file) == 0 && ::stat(path.c_str(), &named) == 0
           && open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

// Modification time as a network file system shows it to one who opens the file anew.
std::optional<timespec> touched(const fs::path& path) {
    const auto file = open_to_look(path);
    struct stat status = {};
    if (!file || ::fstat(file.get(), &status) != 0) return std::nullopt;
    return status.st_mtim;
}

// True when somebody touches the lock, or replaces it, while we look.
bool shows_life(const fs::path& path) {
    const auto first = touched(path);
    for (const auto until = Clock::now() + patience_elsewhere; Clock::now() < until;) {
        std::this_thread::sleep_for(look_interval);
        const auto now = touched(path);
        if (!first || !now) return bool(first) != bool(now);
        if (now->tv_sec != first->tv_sec || now->tv_nsec != first->tv_nsec) return true;
    }
    return false;
}

// Bytes of writers' names begin here; files end before.
constexpr off_t first_name = off_t{1} << 62;
constexpr off_t names = off_t{1} << 61;

// The same for every way to the folder, and on every node.
off_t byte_of_name(const fs::path& file) {
    struct stat folder = {};
    ::stat(file.has_parent_path() ? file.parent_path().c_str() : ".", &folder);
    const auto name = fmt::format("{}/{}", folder.st_ino, file.filename().string());
    static const boost::uuids::name_generator_sha1 generator(boost::uuids::ns::url());
    const auto id = generator(name);
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < sizeof(hash); ++i) hash = hash << 8 | id.data[i];
    return first_name + static_cast<off_t>(hash % static_cast<std::uint64_t>(names));
}

struct flock stretch(short kind, off_t begin, off_t end) {
    struct flock lock = {};
    lock.l_type = kind;
    lock.l_whence = SEEK_SET;
    lock.l_start = begin;
    lock.l_len = end - begin;
    return lock;
}

// Whether another open file holds the byte of a name from `begin` to `end`.
bool is_claimed(int descriptor, off_t begin, off_t end) {
    if (begin == end) return false;
    auto lock = stretch(F_WRLCK, begin, end);
    // What begins before is a lock on the whole file, of no writer.
    return ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK
           && lock.l_start >= first_name;
}

[[noreturn]] void fail_to_create(const fs::path& file) {
    fail_errno(file, fmt::format("create its lock, {}", lock_of(file).filename().string()));
}

void refuse_what_is_no_lock(const fs::path& file, int descriptor) {
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0) fail_to_create(file);
    if (!S_ISREG(status.st_mode) || static_cast<std::uintmax_t>(status.st_size) > most_bytes)
        throw FileError(fmt::format("{}: cannot be locked: {}, which would be its lock, is something else",
                                    file.string(), lock_of(file).filename().string()));
}

void write_text(const fs::path& file, int descriptor, const std::string& text) {
    if (::ftruncate(descriptor, 0) != 0
        || ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        fail_to_create(file);
}

// Puts a lock of ours in the place of another's.
Descriptor replace(const fs::path& file, const Writer& writer, const std::string& text) {
    const auto name = lock_of(file).string() + fmt::format(".{}", writer.pid);
    Descriptor lock(::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!lock) fail_to_create(file);
    TemporaryFile temporary(name);
    try_flock(lock.get());
    write_text(file, lock.get(), text);
    temporary.rename_to(lock_of(file));
    return lock;
}

} // namespace

Writer Writer::here() {
    Writer writer;
    writer.host = host_name();
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), writer.boot);
    writer.pid = getpid();
    const auto array = variable("SLURM_ARRAY_JOB_ID");
    writer.job = array.empty() ? variable("SLURM_JOB_ID") : array + "_" + variable("SLURM_ARRAY_TASK_ID");
    writer.attempt = std::strtoull(variable("SLURM_RESTART_COUNT").c_str(), nullptr, 10);
    writer.token = to_string(boost::uuids::random_generator()());
    return writer;
}

std::string Writer::describe() const {
    // Another may have written the lock.
    std::string text = fmt::format("PID {} on {}", pid, shown(host, 80));
    if (!job.empty()) text += fmt::format(" (job {}, attempt {})", shown(job, 80), attempt + 1);
    return text;
}

Lease Lease::acquire(const fs::path& file, const Writer& writer) {
    const auto path = lock_of(file);
    const auto text = to_text(writer);
    const auto start = Clock::now();
    while (true) {
        Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
        if (!lock) fail_to_create(file);
        refuse_what_is_no_lock(file, lock.get());
        const auto state = try_flock(lock.get());
        // Its last holder may have removed the file between open and flock.
        if (state != Flock::held_by_another && !is_at(lock.get(), path)) continue;
        const auto holder = from_text(contents(lock.get()));

        if (state == Flock::held_by_another) {
            if (holder && follows(writer, *holder)) {
                auto ours = replace(file, writer, text);
                // The older writer looks at its lock once a second; nothing is lost if it does not go.
                for (const auto until = Clock::now() + patience_here; Clock::now() < until;) {
                    if (try_flock(lock.get()) != Flock::held_by_another) break;
                    std::this_thread::sleep_for(look_interval);
                }
                return {file, std::move(ours), text};
            }
            if (Clock::now() - start > patience_here) refuse(file, holder);
            std::this_thread::sleep_for(look_interval);
            continue;
        }
        const bool told_by_lock = state == Flock::taken && holder && holder->boot == writer.boot;
        if (holder && !told_by_lock && !follows(writer, *holder) && shows_life(path)) refuse(file, holder);
        if (state == Flock::not_supported) return {file, replace(file, writer, text), text};
        try {
            write_text(file, lock.get(), text);
        } catch (...) {
            ::unlink(path.c_str());
            throw;
        }
        return {file, std::move(lock), text};
    }
}

Lease::~Lease() {
    if (!lock_) return;
    const auto path = lock_of(file_);
    // Opens nothing: there may be too many open files.
    const auto found = contents(lock_.get());
    if (is_at(lock_.get(), path) && found && found->starts_with(text_)) ::unlink(path.c_str());
}

void Lease::check() {
    ::futimens(lock_.get(), nullptr);
    const auto path = lock_of(file_);
    const auto named = open_to_look(path);
    if (!named) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE)
            throw FileError(fmt::format("{}: its lock, {}, was removed while the sweep ran", file_.string(),
                                        path.filename().string()));
        return; // too many open files, or a server that does not answer: nobody has taken over
    }
    const auto found = contents(named.get());
    if (!found || found->starts_with(text_)) return;
    const auto holder = from_text(found);
    throw FileError(fmt::format("{}: was taken over by another sweep{}", file_.string(),
                                holder ? ", " + holder->describe() : std::string()));
}

void Lease::tell(const Advance& advance) {
    const auto text = to_text(advance);
    if (text_.size() + text.size() > most_bytes) return;
    [[maybe_unused]] const auto ignored =
        ::pwrite(lock_.get(), text.data(), text.size(), static_cast<off_t>(text_.size()));
}

std::optional<Heard> Lease::heard(const fs::path& file) {
    const auto lock = open_to_look(lock_of(file));
    if (!lock) return std::nullopt;
    const auto text = contents(lock.get());
    const auto writer = from_text(text);
    struct stat status = {};
    if (!writer || ::fstat(lock.get(), &status) != 0) return std::nullopt;
    Heard heard{*writer, false, 0, advance_from_text(*text)};
    heard.at =
        static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
    // Shared: looking must not keep a writer out, and a writer starting now tries again.
    if (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0)
        heard.certain = errno == EWOULDBLOCK;
    else if (writer->boot == Writer::here().boot)
        return std::nullopt;
    return heard;
}

std::optional<Writer> Lease::holder(const fs::path& file) {
    const auto found = heard(file);
    return found ? std::optional(found->writer) : std::nullopt;
}

void claim_name(int descriptor, const fs::path& file) {
    const auto own = byte_of_name(file);
    auto claim = stretch(F_RDLCK, own, own + 1);
    auto give_back = stretch(F_UNLCK, own, own + 1);
    for (const auto start = Clock::now();;) {
        // Of two that come together at least one finds the other: first the lock, then the look.
        if (::fcntl(descriptor, F_OFD_SETLK, &claim) != 0) return;
        if (!is_claimed(descriptor, first_name, own) && !is_claimed(descriptor, own + 1, first_name + names))
            return;
        ::fcntl(descriptor, F_OFD_SETLK, &give_back);
        if (Clock::now() - start > patience_here)
            throw FileError(fmt::format(
                "{}: is being written by another sweep under another name (a hard link)", file.string()));
        // Not in step with the other.
        std::this_thread::sleep_for(look_interval + std::chrono::milliseconds(getpid() % 89));
    }
}

} // namespace etastar::io

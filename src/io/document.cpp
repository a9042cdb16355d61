#include "etastar/io/document.hpp"

#include "etastar/io/descriptor.hpp"

#include "system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

namespace etastar::io {
namespace {

namespace fs = std::filesystem;

// As many links as Linux follows.
constexpr int most_links = 40;
// Of a file name that the temporary one takes over; no file system allows more than 255 bytes for both.
constexpr std::size_t most_of_name = 200;

// Reports the last bytes, too: some file systems learn of a full disk or quota when the file is closed.
void write_and_close(Descriptor file, const fs::path& path, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(file.get(), text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_errno(path, "write it");
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    if (!file.close()) fail_errno(path, "write it");
}

void write_in_place(const fs::path& path, std::string_view text) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666));
    if (!file) fail_errno(path, "write it");
    write_and_close(std::move(file), path, text);
}

// The name behind symbolic links, which need not exist; none where the links are the kernel's, as /dev/stdout is.
std::optional<fs::path> behind_links(fs::path path) {
    std::error_code error;
    for (int i = 0; i < most_links && fs::is_symlink(path, error); ++i) {
        const auto folder = fs::canonical(path.parent_path() / ".", error);
        if (error || folder.string().starts_with("/proc/")) return std::nullopt;
        path = path.parent_path() / fs::read_symlink(path, error);
        if (error) return std::nullopt;
    }
    return path;
}

// The standard stream that already is this file; -1 for none. The file must not be replaced under it.
int stream_of(const struct stat& status) {
    for (const int number : {STDOUT_FILENO, STDERR_FILENO}) {
        struct stat stream = {};
        if (::fstat(number, &stream) == 0 && stream.st_dev == status.st_dev && stream.st_ino == status.st_ino)
            return number;
    }
    return -1;
}

} // namespace

bool is_hdf5_file(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return false;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return false;
    constexpr std::string_view signature("\x89HDF\r\n\x1a\n");
    char found[signature.size()];
    // The signature is at 0, or after a block of the user's own, whose length is 512 times a power of two.
    for (off_t at = 0; ::pread(file.get(), found, sizeof(found), at) == sizeof(found);
         at = at == 0 ? 512 : 2 * at)
        if (std::string_view(found, sizeof(found)) == signature) return true;
    return false;
}

void write_document(const fs::path& path, std::string_view text) {
    struct stat status = {};
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (!exists && errno != ENOENT) fail_errno(path, "write it");
    if (exists && !S_ISREG(status.st_mode)) return write_in_place(path, text);
    if (exists)
        if (const int stream = stream_of(status); stream >= 0)
            return write_and_close(Descriptor(::dup(stream)), path, text);
    const auto target = behind_links(path);
    if (!target || !target->has_filename()) return write_in_place(path, text);
    if (exists && ::access(target->c_str(), W_OK) != 0) fail_errno(path, "write it");

    TemporaryFile temporary(
        target->parent_path()
        / fmt::format("{}.writing-{}", target->filename().string().substr(0, most_of_name), getpid()));
    Descriptor file(
        ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!file) {
        if (exists && (errno == EACCES || errno == EPERM)) return write_in_place(path, text);
        fail_errno(path, "write it");
    }
    if (exists) {
        // The owner first: to change it takes away set-user-ID bits. Not everybody may give files away.
        [[maybe_unused]] const int ignored = ::fchown(file.get(), status.st_uid, status.st_gid);
        ::fchmod(file.get(), status.st_mode & 07777);
    }
    write_and_close(std::move(file), path, text);
    temporary.rename_to(*target);
}

} // namespace etastar::io

#include "path.hpp"

#include "etastar/error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

namespace etastar::io {

namespace fs = std::filesystem;

std::string creating_prefix(const fs::path& path) { return path.filename().string() + ".creating-"; }

std::string sealing_prefix(const fs::path& path) { return path.filename().string() + ".sealing-"; }

void remove_leftovers(const fs::path& path) {
    std::error_code error;
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& name : {creating_prefix(path), sealing_prefix(path)})
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
            if (entry->path().filename().string().starts_with(name)) {
                std::error_code ignored;
                fs::remove(entry->path(), ignored);
            }
}

void refuse_what_is_no_file(const fs::path& name) {
    std::error_code ignored;
    const auto status = fs::status(name, ignored);
    if (fs::exists(status) && !fs::is_regular_file(status))
        throw FileError(fmt::format("{}: exists and is not a regular file", name.string()));
}

void refuse_existing(const fs::path& name) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(name, ignored)))
        throw FileError(fmt::format(
            "{}: exists already; --overwrite replaces it, and `etastar sweep --resume` continues a sweep",
            name.string()));
}

fs::path resolved(const fs::path& name) {
    std::error_code ignored;
    return fs::is_symlink(name, ignored) && fs::exists(name, ignored) ? fs::canonical(name) : name;
}

void sync_directory_of(const fs::path& path) {
    const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return; // some file systems have none to offer; the rename itself has happened
    ::fsync(descriptor);
    ::close(descriptor);
}

} // namespace etastar::io

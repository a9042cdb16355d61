#include "system.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace etastar::io {

void fail_errno(const std::filesystem::path& path, const std::string& action) {
    throw FileError(fmt::format("{}: cannot {} ({})", path.string(), action, std::strerror(errno)));
}

void write_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, const void* data,
              std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const auto count = ::pwrite(descriptor, bytes, size, static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_errno(path, "write to it");
        bytes += count;
        offset += static_cast<std::uint64_t>(count);
        size -= static_cast<std::size_t>(count);
    }
}

std::size_t read_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, void* data,
                    std::size_t size) {
    auto* bytes = static_cast<char*>(data);
    std::size_t done = 0;
    while (done < size) {
        const auto count = ::pread(descriptor, bytes + done, size - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_errno(path, "read it");
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

void refuse_what_does_not_fit(int descriptor, const std::filesystem::path& path, std::uint64_t bytes) {
    struct statvfs status = {};
    if (::fstatvfs(descriptor, &status) != 0) return;
    const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (available > 0 && bytes > available)
        throw FileError(fmt::format("{}: cannot create it ({}: it takes {} bytes, {} are free)",
                                    path.string(), std::strerror(ENOSPC), bytes, available));
}

TemporaryFile::~TemporaryFile() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove(path_, ignored);
}

void TemporaryFile::rename_to(const std::filesystem::path& final_path) {
    if (std::rename(path_.c_str(), final_path.c_str()) != 0) fail_errno(final_path, "create it");
    kept_ = true;
}

} // namespace etastar::io

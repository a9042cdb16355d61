#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace etastar::io {

// Throws FileError "PATH: cannot ACTION (errno's text)".
[[noreturn]] void fail_errno(const std::filesystem::path& path, const std::string& action);

// The whole of it, or FileError.
void write_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, const void* data,
              std::size_t size);

// As much of it as there is.
std::size_t read_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, void* data,
                    std::size_t size);

// Before hours of writing: throws FileError where the open file's file system says that it has some space, but not as
// much.
void refuse_what_does_not_fit(int descriptor, const std::filesystem::path& path, std::uint64_t bytes);

// Removes a file in its destructor, unless it was given its final name.
class TemporaryFile {
public:
    explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::filesystem::path& path() const { return path_; }

    void rename_to(const std::filesystem::path& final_path);

private:
    std::filesystem::path path_;
    bool kept_ = false;
};

} // namespace etastar::io

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace etastar::io {

// Throws FileError "PATH: cannot ACTION (errno's text)".
[[noreturn]] void fail_errno(const std::filesystem::path& path, const std::string& action);

// The whole of it, or FileError.
void write_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, const void* data,
              std::size_t size);

// As much of it as there is.
std::size_t read_at(int descriptor, const std::filesystem::path& path, std::uint64_t offset, void* data,
                    std::size_t size);

} // namespace etastar::io

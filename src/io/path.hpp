#pragma once

#include <filesystem>
#include <string>

// What may stand where a sweep's file is to be, and what is put beside it.
namespace etastar::io {

// Beside the file, while it is created or sealed.
std::string creating_prefix(const std::filesystem::path& path);
std::string sealing_prefix(const std::filesystem::path& path);

// What killed processes have left; the writer's alone to remove.
void remove_leftovers(const std::filesystem::path& path);

// Throw FileError.
void refuse_what_is_no_file(const std::filesystem::path& name);
void refuse_existing(const std::filesystem::path& name);

// The file behind a symbolic link: that is what is locked, replaced and written.
std::filesystem::path resolved(const std::filesystem::path& name);

// To the disk: that the file has its name.
void sync_directory_of(const std::filesystem::path& path);

} // namespace etastar::io

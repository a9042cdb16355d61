#pragma once

#include <filesystem>
#include <string_view>

namespace etastar::io {

// True for an existing regular file that begins as HDF5 files do: a table, which no report may replace.
bool is_hdf5_file(const std::filesystem::path& path);

// Writes a text file: beside it under a temporary name, then renamed, so that a full disk leaves what was there, and
// nothing where nothing was. The file keeps its permissions, a symbolic link to it stays one. What is no regular
// file (a pipe, a terminal, /dev/stdout) is written as it stands, and so is a file in a folder that may not be
// changed. Throws FileError.
void write_document(const std::filesystem::path& path, std::string_view text);

} // namespace etastar::io

#pragma once

#include <filesystem>

namespace etastar::io {

// While it lasts a crash ends the process with ExitCode::file and one line that calls the file damaged. HDF5 checks
// little of what it reads; only a file without a seal comes to it unchecked. Of several guards the line names the
// latest's file. One thread.
class CrashGuard {
public:
    explicit CrashGuard(const std::filesystem::path& path);
    ~CrashGuard();
    CrashGuard(const CrashGuard&) = delete;
    CrashGuard& operator=(const CrashGuard&) = delete;
};

// While it lasts, two seconds of processor time count as a crash if there is a CrashGuard; without one it does nothing.
// An honest file takes HDF5 milliseconds to open: what takes the longer the larger a file is must stay outside.
class HangGuard {
public:
    HangGuard();
    ~HangGuard();
    HangGuard(const HangGuard&) = delete;
    HangGuard& operator=(const HangGuard&) = delete;
};

} // namespace etastar::io

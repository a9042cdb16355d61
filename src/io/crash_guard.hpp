#pragma once

#include <signal.h>

#include <filesystem>
#include <vector>

namespace etastar::io {

// While it lasts, a crash, or twenty seconds of processor time, ends the process with ExitCode::file and one line that calls
// the file damaged. HDF5 checks little of what it reads; only a file without a seal comes to it unchecked.
class CrashGuard {
public:
    explicit CrashGuard(const std::filesystem::path& path);
    ~CrashGuard();
    CrashGuard(const CrashGuard&) = delete;
    CrashGuard& operator=(const CrashGuard&) = delete;

private:
    struct Replaced {
        int signal;
        struct sigaction action;
    };
    std::vector<Replaced> replaced_;
    std::vector<char> stack_; // the crash may be for want of one
    stack_t old_stack_ = {};
};

} // namespace etastar::io

#include "crash_guard.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>

namespace etastar::io {
namespace {

constexpr time_t longest = 20;
constexpr std::size_t stack_size = 1 << 16;

std::string message; // prepared, for a handler may not allocate

extern "C" void report_damage(int) {
    [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, message.data(), message.size());
    _exit(static_cast<int>(ExitCode::file));
}

void limit_processor_time(time_t seconds) {
    itimerval timer = {};
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_PROF, &timer, nullptr);
}

} // namespace

CrashGuard::CrashGuard(const std::filesystem::path& path) : stack_(stack_size) {
    message =
        fmt::format("etastar: {}: is damaged: its structure is not one that HDF5 can read\n", path.string());
    stack_t stack = {};
    stack.ss_sp = stack_.data();
    stack.ss_size = stack_.size();
    sigaltstack(&stack, &old_stack_);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGPROF}) {
        struct sigaction action = {};
        action.sa_handler = report_damage;
        action.sa_flags = SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        Replaced replaced{signal, {}};
        if (sigaction(signal, &action, &replaced.action) == 0) replaced_.push_back(replaced);
    }
    limit_processor_time(longest);
}

CrashGuard::~CrashGuard() {
    limit_processor_time(0);
    for (const auto& [signal, action] : replaced_) sigaction(signal, &action, nullptr);
    if ((old_stack_.ss_flags & SS_DISABLE) == 0)
        sigaltstack(&old_stack_, nullptr);
    else {
        stack_t none = {};
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
    }
}

} // namespace etastar::io

#include "crash_guard.hpp"

#include "etastar/error.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <iterator>
#include <string>

namespace etastar::io {
namespace {

constexpr time_t longest = 2;
constexpr int guarded[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGPROF};

std::string message; // prepared, for a handler may not allocate
char stack[1 << 16]; // the crash may be for want of one
int guards = 0;
struct sigaction replaced[std::size(guarded)]; // actions before the first guard
stack_t replaced_stack = {};

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

CrashGuard::CrashGuard(const std::filesystem::path& path) {
    message =
        error_line(fmt::format("{}: is damaged: its structure is not one that HDF5 can read", path.string()));
    if (++guards > 1) return;
    stack_t ours = {};
    ours.ss_sp = stack;
    ours.ss_size = sizeof(stack);
    sigaltstack(&ours, &replaced_stack);
    for (std::size_t i = 0; i < std::size(guarded); ++i) {
        struct sigaction action = {};
        action.sa_handler = report_damage;
        action.sa_flags = SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        sigaction(guarded[i], &action, &replaced[i]);
    }
}

CrashGuard::~CrashGuard() {
    if (--guards > 0) return;
    for (std::size_t i = 0; i < std::size(guarded); ++i) sigaction(guarded[i], &replaced[i], nullptr);
    if ((replaced_stack.ss_flags & SS_DISABLE) != 0) replaced_stack = {nullptr, SS_DISABLE, 0};
    sigaltstack(&replaced_stack, nullptr);
}

HangGuard::HangGuard() {
    if (guards > 0) limit_processor_time(longest);
}

HangGuard::~HangGuard() {
    if (guards > 0) limit_processor_time(0);
}

} // namespace etastar::io

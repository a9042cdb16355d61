#include "etastar/parallel/stop.hpp"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <string_view>

namespace etastar::parallel {
namespace {

std::atomic<int> requested{0};
enum class Told { nothing, before_work, resumable };
std::atomic<Told> told{Told::nothing};
std::atomic<int> exit_code{static_cast<int>(ExitCode::stopped)};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Told>::is_always_lock_free,
              "used in signal handlers");

extern "C" void leave_now(int) {
    constexpr std::string_view stopped = "etastar: out of time, stopped where it was; --resume continues\n";
    constexpr std::string_view too_early =
        "etastar: out of time before the first network; the same command begins again\n";
    if (const auto what = told.load(); what != Told::nothing) {
        const auto line = what == Told::resumable ? stopped : too_early;
        [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
    }
    _exit(exit_code);
}

extern "C" void take_note(int signal) {
    const auto urgency = signal == SIGUSR1 ? Urgency::soon : Urgency::at_once;
    int known = requested.load();
    while (known < static_cast<int>(urgency)
           && !requested.compare_exchange_weak(known, static_cast<int>(urgency))) {
    }
    exit_within(patience(urgency));
}

void handle(int signal, void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

} // namespace

void watch_signals() {
    handle(SIGPIPE, SIG_IGN);
    for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) handle(signal, take_note);
}

void announce_exit(bool resumable) { told = resumable ? Told::resumable : Told::before_work; }

Urgency stop_requested() { return static_cast<Urgency>(requested.load()); }

void decide_exit(ExitCode code) {
    told = Told::nothing;
    exit_code = static_cast<int>(code);
}

// Called in signal handlers: nothing here but what is safe there.
void exit_within(double seconds) {
    itimerval running = {};
    getitimer(ITIMER_REAL, &running);
    const double left =
        static_cast<double>(running.it_value.tv_sec) + 1e-6 * static_cast<double>(running.it_value.tv_usec);
    if (left > 0 && left <= seconds) return;
    handle(SIGALRM, leave_now);
    itimerval timer = {};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    timer.it_value.tv_usec = static_cast<suseconds_t>(1e6 * (seconds - std::floor(seconds)));
    setitimer(ITIMER_REAL, &timer, nullptr);
}

double grace(Urgency urgency) { return urgency == Urgency::at_once ? 0.15 : 2.0; }

double patience(Urgency urgency) { return urgency == Urgency::at_once ? 0.85 : 3.0; }

} // namespace etastar::parallel

#pragma once

#include "etastar/error.hpp"

namespace etastar::parallel {

// How soon a sweep has to end.
enum class Urgency : int {
    none = 0,
    soon = 1,    // SIGUSR1: within 5 seconds
    at_once = 2, // SIGTERM, SIGINT: within one
};

// From here on SIGUSR1, SIGTERM and SIGINT ask the sweep to stop instead of killing it; a process that has not
// ended when its seconds are over leaves, wherever it is. SIGPIPE is ignored: that nobody reads the progress any
// more is no reason to stop.
void watch_signals();

// The most urgent request so far.
Urgency stop_requested();

// Ends the process if it has not ended by itself after this many seconds; the earliest end of several calls counts.
// The exit code is ExitCode::stopped until another is decided.
void exit_within(double seconds);

// The process has its exit code and only has to end; a forced end has this code, too.
void decide_exit(ExitCode code);

// On rank 0: an end that is forced before the exit code is decided is told in one line, as one that --resume continues or
// as one before there is a file to continue.
void announce_exit(bool resumable);

// Seconds a trial may still run after a request, so that the rest fits the time.
double grace(Urgency urgency);

// And after the deadline, before which all were expected to end.
constexpr double grace_after_deadline = 0.05;

// Seconds after which a process leaves wherever it is.
double patience(Urgency urgency);

} // namespace etastar::parallel

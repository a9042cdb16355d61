#pragma once

#include "etastar/parallel/runner.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace etastar::app {

// A sweep's time limit: by when trials have to end, and how long after that the process is cut off wherever it is.
class TimeLimit {
public:
    // `seconds` from `start`; some are kept for the last writes and for the launcher to leave. From here on the process
    // cannot outlive the limit, also while a large file is laid out or read.
    TimeLimit(double seconds, parallel::Clock::time_point start);

    // That of rank 0, on another rank. Clocks of ranks differ, so what travels is the seconds left.
    explicit TimeLimit(const nlohmann::json& told);
    nlohmann::json to_json() const;

    parallel::Clock::time_point deadline() const { return deadline_; }

private:
    void cut_off() const;

    parallel::Clock::time_point deadline_;
    double overtime_; // seconds after the deadline
};

} // namespace etastar::app

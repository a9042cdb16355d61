#include "time_limit.hpp"

#include "etastar/parallel/stop.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace etastar::app {
namespace {

using parallel::Clock;

// Seconds of the time limit, at most and as a share of it, that are kept for the last writes and for mpirun, which
// takes a second or two to leave.
constexpr double longest_reserve = 2.5;
constexpr double reserved_share = 0.25;
// Of these, what a sweep that is still busy has before it is cut off, at most and as a share.
constexpr double longest_overtime = 1.25;
constexpr double overtime_share = 0.875;

double reserve(double limit) { return std::min(longest_reserve, reserved_share * limit); }

double seconds_until(Clock::time_point time) {
    return std::chrono::duration<double>(time - Clock::now()).count();
}

Clock::time_point after(double seconds, Clock::time_point start) {
    return start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

} // namespace

TimeLimit::TimeLimit(double seconds, Clock::time_point start)
    : deadline_(after(seconds - reserve(seconds), start)),
      overtime_(std::min(longest_overtime, overtime_share * reserve(seconds))) {
    cut_off();
}

TimeLimit::TimeLimit(const nlohmann::json& told)
    : deadline_(after(told.at("seconds_left").get<double>(), Clock::now())),
      overtime_(told.at("overtime").get<double>()) {
    cut_off();
}

nlohmann::json TimeLimit::to_json() const {
    return {{"seconds_left", seconds_until(deadline_)}, {"overtime", overtime_}};
}

void TimeLimit::cut_off() const {
    parallel::exit_within(std::max(seconds_until(deadline_) + overtime_, 1e-3));
}

} // namespace etastar::app

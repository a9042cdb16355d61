#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace etastar::command_line {

// Seconds of a duration, at most thirty years: numbers with units, 90s, 45m or 45min, 1.5h, 3h50m, 2d; or as Slurm writes
// it, 10:00 (M:S), 2:00:00 (H:M:S), 1-12, 1-12:30 and 1-12:30:00 (days, hours, minutes, seconds). None for anything
// else, also for 0 and for a number without a unit.
std::optional<double> read_duration(std::string_view text);

// The same for an option. Throws UsageError, naming it.
double parse_duration(const std::string& option, const std::string& text);

} // namespace etastar::command_line

#pragma once

#include <optional>
#include <string>

namespace etastar::app {

// Seconds since 1970.
double unix_now();

// ISO 8601: 2026-01-31T13:00:00+01:00, local with its offset, and 2026-01-31T12:00:00Z.
std::string local_time(double unix_seconds);
std::string utc_time(double unix_seconds);

// The second one back; none where it is something else.
std::optional<double> read_utc_time(const std::string& text);

} // namespace etastar::app

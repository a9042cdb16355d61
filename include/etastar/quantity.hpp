#pragma once

#include <string>

namespace etastar {

// "1h02m", "3.5 s" and "120 ms"
std::string show_duration(double seconds);

// "1.5 GiB"
std::string show_bytes(double bytes);

} // namespace etastar

#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::sweep {

// Parses a LIST: comma-separated items, each a value or a range
//
//     A:B:xF     A, A F, A F^2, ... up to and including B (geometric steps)
//     A:B:logN   N points from A to B, equal ratios, ends included
//     A:B:linN   N points from A to B, equal differences, ends included
//
// and returns the values in ascending order. Integer lists round a range's points to the nearest integer. An integer may
// be written with an exponent, 1e4 or 2.5e3, if it is one.
// Throws UsageError, naming `option`, for anything that is not a positive finite number, a descending range
// or a value that occurs twice.
std::vector<double> parse_real_list(std::string_view option, std::string_view text);
std::vector<std::uint32_t> parse_integer_list(std::string_view option, std::string_view text);

// One positive number, as a LIST of one. Throws UsageError.
double parse_positive_real(std::string_view option, std::string_view text);

// One finite number of either sign. Throws UsageError.
double parse_real(std::string_view option, std::string_view text);

// One integer from 1 to `most`. Throws UsageError.
std::uint32_t parse_integer(std::string_view option, std::string_view text,
                            std::uint32_t most = std::numeric_limits<std::uint32_t>::max());

// A positive (or with zero_allowed non-negative) integer, as 10000 or 1e4, and nothing else. Throws UsageError.
std::uint64_t parse_count(std::string_view option, std::string_view text, bool zero_allowed = false);

} // namespace etastar::sweep

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace etastar::report {

// 0.021335(23): the error, to two digits, in units of the value's last ones; five digits where there is no error. Very large
// and very small values have an exponent, as in 2.13(2)e-07.
std::string with_error(double value, double error);

// The text with every `from` made a `to`.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

// With the sign of mathematics for every hyphen.
std::string with_minus(std::string_view text);

// A law such as "sqrt(3 c) L^(-3/2)", as mathematics has it: "√(3 c) L^(−3/2)".
std::string law_text(std::string_view law);

// A sum of squares to three digits, without an exponent where it is below a million: 8130, not 8.13e+03.
std::string chi_squared_text(double x);
std::string freedom_text(std::size_t degrees); // "1 degree of freedom"

// Two numbers to so many digits with what is between them, "0.9 to 1.1", or the one that both are.
std::string range_text(double least, double most, std::string_view between, int digits = 3);

// Decimals that show an error to two digits, to one where that is more than 3, from 2 to 6.
int decimals_of(double error);

} // namespace etastar::report

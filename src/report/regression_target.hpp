#pragma once

namespace etastar::report {

// What an exponent is where the cells lie on no single power law.
inline constexpr const char* regression_target =
    "the weighted least-squares slope of log eta* over these cells, with weights that are fixed beforehand";

} // namespace etastar::report

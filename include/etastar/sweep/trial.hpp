#pragma once

#include <cstdint>
#include <type_traits>

namespace etastar::sweep {

enum class Status : std::uint8_t {
    pending = 0,   // not run yet
    done = 1,      // every value is finite
    nonfinite = 2, // run; the step left the range of floating point
    failed = 3,    // could not be run; measured values are NaN
};

// One row of /trials: a trial is one network and one learning rate. The layout is the file's layout
// (docs/format.md).
struct TrialRow {
    std::uint32_t width = 0; // n
    std::uint32_t depth = 0; // L
    std::uint64_t seed = 0;
    double eta = 0;             // base learning rate, absolute
    double target = 0;          // y
    double output = 0;          // f before the step
    double output_after = 0;    // f after it
    double loss = 0;            // (f - y)^2 / 2 before the step
    double loss_after = 0;      // and after it
    double dz2_last = 0;        // finite step: ||dz^l||^2 / n at l = L,
    double dz2_max = 0;         // its largest over l,
    double dz2_mean = 0;        // its mean over l
    double response_last = 0;   // linear order: G_l = ||s^l||^2 / n at l = L,
    double response_max = 0;    // its largest,
    double response_mean = 0;   // its mean
    double response_output = 0; // Theta^2, df/deta = -(f - y) Theta
    Status status = Status::pending;
    std::uint8_t reserved[3] = {0, 0, 0};
    std::uint32_t check = 0; // checksum() of this row
};
static_assert(sizeof(TrialRow) == 128 && std::is_trivially_copyable_v<TrialRow>);

// CRC-32 (ISO-HDLC, as zlib's) of the row's bytes before `check`.
std::uint32_t checksum(const TrialRow& row);

// The row with every NaN made the one quiet NaN, so that equal results are equal bytes, and its check set.
TrialRow sealed(TrialRow row);

// A whole row: the check matches. A torn or damaged row is treated as pending.
bool intact(const TrialRow& row);

// The row of a trial that has not been measured: coordinates set, measurements NaN; sealed.
TrialRow unmeasured_row(std::uint32_t width, std::uint32_t depth, std::uint64_t seed, double eta,
                        Status status);

} // namespace etastar::sweep

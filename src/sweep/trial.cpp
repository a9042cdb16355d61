#include "etastar/sweep/trial.hpp"

#include <zlib.h>

#include <cmath>
#include <cstddef>
#include <limits>

namespace etastar::sweep {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Measurement = double TrialRow::*;
constexpr Measurement measurements[] = {
    &TrialRow::target,        &TrialRow::output,       &TrialRow::output_after,  &TrialRow::loss,
    &TrialRow::loss_after,    &TrialRow::dz2_last,     &TrialRow::dz2_max,       &TrialRow::dz2_mean,
    &TrialRow::response_last, &TrialRow::response_max, &TrialRow::response_mean, &TrialRow::response_output,
};

} // namespace

std::uint32_t checksum(const TrialRow& row) {
    return static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(&row), offsetof(TrialRow, check)));
}

TrialRow sealed(TrialRow row) {
    for (const auto field : measurements)
        if (std::isnan(row.*field)) row.*field = nan;
    row.check = checksum(row);
    return row;
}

bool intact(const TrialRow& row) { return row.check == checksum(row); }

TrialRow unmeasured_row(std::uint32_t width, std::uint32_t depth, std::uint64_t seed, double eta,
                        Status status) {
    TrialRow row;
    row.width = width;
    row.depth = depth;
    row.seed = seed;
    row.eta = eta;
    for (const auto field : measurements) row.*field = nan;
    row.status = status;
    return sealed(row);
}

} // namespace etastar::sweep

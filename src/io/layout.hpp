#pragma once

#include "hdf5.hpp"

namespace etastar::io {

// The compound type of a row of /trials. The file's type and the memory type are one: little-endian, with the
// offsets of sweep::TrialRow.
hdf5::Handle trial_type();

} // namespace etastar::io

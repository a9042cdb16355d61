#pragma once

#include "etastar/engine/training.hpp"

#include <cstddef>

namespace etastar::engine {

// How many vectors a hidden matrix is asked in a whole run of training, forward and as many backward.
inline std::size_t questions(const Training& training) {
    const std::size_t steps = (std::size_t{training.steps} + 1) * training.data.batch_size();
    // Where the examples of a step are not those that are measured, these come first and last of all.
    return training.data.full_batch() ? steps : steps + 2 * std::size_t{training.data.samples};
}

} // namespace etastar::engine

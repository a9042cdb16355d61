#pragma once

#include <cstdint>
#include <vector>

namespace etastar::theory {

// A fixed set of points for integrals over Gaussian paths: for each of `count` neurons, a power of 2, three standard normals
// and two sequences of `steps` standard normals. Each coordinate takes every one of `count` quantiles once. The three and the
// longest waves of both sequences, as a Brownian bridge has them, are a rank-1 lattice (F. Y. Kuo's generators for 2^10 to
// 2^20 points); the others are Latin hypercubes. Replicates have random shifts and permutations of their own. The same bits
// on every processor.
class Paths {
public:
    Paths(std::uint32_t count, std::uint32_t steps, std::uint64_t replicate);

    const std::vector<double>& start(int which) const { return start_[which]; } // which = 0, 1, 2
    // Of step 0 .. steps - 1, `count` values.
    const double* forward(std::uint32_t step) const { return &forward_[std::size_t{step} * count_]; }
    const double* backward(std::uint32_t step) const { return &backward_[std::size_t{step} * count_]; }

private:
    std::size_t count_;
    std::vector<double> start_[3];
    std::vector<double> forward_;
    std::vector<double> backward_;
};

} // namespace etastar::theory

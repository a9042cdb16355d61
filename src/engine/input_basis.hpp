#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace etastar::engine {

// An orthonormal basis of the inputs seen so far, of at most n0 vectors, and the inputs' coordinates in it by the numbers of
// their examples.
class InputBasis {
public:
    // Forgets everything. Where no example comes twice, coordinates are not kept.
    void reset(std::size_t dimension, bool examples_recur);

    // Coordinates of the example's input in the basis, which grows where x, of n0 values, is outside its span: as many as the
    // basis had vectors when it was located first. Until the next call.
    template <class T>
    const std::vector<double>& locate(std::uint64_t example, const T* x);

    std::size_t dimension() const { return dimension_; }
    std::size_t rank() const { return vectors_.size(); }
    const std::vector<double>& vector(std::size_t number) const { return vectors_[number]; }

private:
    std::size_t dimension_ = 0;
    bool examples_recur_ = true;
    std::vector<std::vector<double>> vectors_;
    std::unordered_map<std::uint64_t, std::vector<double>> known_;
    std::vector<double> last_;
};

} // namespace etastar::engine

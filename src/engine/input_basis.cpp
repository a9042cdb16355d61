#include "input_basis.hpp"

#include <cmath>
#include <numeric>

namespace etastar::engine {
namespace {

// What is left of an input after its part in the span has been taken off is rounding where it is shorter, over the input.
constexpr double rounding_of_inputs = 1e-10;

double length_of(const std::vector<double>& x) {
    return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

} // namespace

void InputBasis::reset(std::size_t dimension, bool examples_recur) {
    dimension_ = dimension;
    examples_recur_ = examples_recur;
    vectors_.clear();
    known_.clear();
}

template <class T>
const std::vector<double>& InputBasis::locate(std::uint64_t example, const T* x) {
    if (const auto known = known_.find(example); known != known_.end()) return known->second;
    auto& at = examples_recur_ ? known_[example] : last_;
    at.assign(rank(), 0.0);
    std::vector<double> rest(x, x + dimension_);
    const double whole = length_of(rest);
    for (int pass = 0; pass < 2; ++pass)
        for (std::size_t j = 0; j < rank(); ++j) {
            const auto& q = vectors_[j];
            const double part = std::inner_product(q.begin(), q.end(), rest.begin(), 0.0);
            at[j] += part;
            for (std::size_t i = 0; i < dimension_; ++i) rest[i] -= part * q[i];
        }
    const double left = length_of(rest);
    if (rank() == dimension_ || !(left > rounding_of_inputs * whole)) return at;
    for (double& value : rest) value /= left;
    vectors_.push_back(std::move(rest));
    at.push_back(left);
    return at;
}

template const std::vector<double>& InputBasis::locate(std::uint64_t example, const float* x);
template const std::vector<double>& InputBasis::locate(std::uint64_t example, const double* x);

} // namespace etastar::engine

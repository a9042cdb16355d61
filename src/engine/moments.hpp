#pragma once

#include "etastar/engine/training.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace etastar::engine {

// What an optimizer remembers of the past gradients of an array of parameters, and its steps.
template <class T>
class Moments {
public:
    Moments(Memory memory, double momentum, std::size_t count)
        : memory_(memory),
          momentum_(static_cast<T>(momentum)),
          first_(memory == Memory::none ? 0 : count),
          second_(memory == Memory::adam ? count : 0) {}

    // The optimizer's step of the parameters for this gradient; both have the count of the moments.
    void step(double rate, const T* gradient, std::size_t count, T* parameters) {
        const T eta = static_cast<T>(rate);
        if (memory_ == Memory::none) {
            for (std::size_t i = 0; i < count; ++i) parameters[i] -= eta * gradient[i];
        } else if (memory_ == Memory::momentum) {
            for (std::size_t i = 0; i < count; ++i) {
                first_[i] = momentum_ * first_[i] + gradient[i];
                parameters[i] -= eta * first_[i];
            }
        } else {
            adam_step(eta, gradient, count, parameters);
        }
    }

private:
    static constexpr double beta1 = 0.9;
    static constexpr double beta2 = 0.999;

    void adam_step(T eta, const T* gradient, std::size_t count, T* parameters) {
        beta1_power_ *= beta1;
        beta2_power_ *= beta2;
        // Of gradient^2 the root is kept at the size of the gradient: no square leaves the range of single precision.
        const T scale = static_cast<T>(std::sqrt(1 - beta2_power_) / (1 - beta1_power_));
        const T one = static_cast<T>(beta1);
        const T two = static_cast<T>(beta2);
        for (std::size_t i = 0; i < count; ++i) {
            const T g = gradient[i];
            first_[i] = one * first_[i] + (1 - one) * g;
            const T largest = std::max(std::abs(g), second_[i]);
            const T inverse = largest > 0 ? 1 / largest : T{0};
            const T now = g * inverse;
            const T before = second_[i] * inverse;
            second_[i] = largest * std::sqrt(two * before * before + (1 - two) * now * now);
            parameters[i] -= second_[i] > 0 ? eta * scale * first_[i] / second_[i] : T{0};
        }
    }

    Memory memory_;
    T momentum_;
    std::vector<T> first_;  // the velocity, or the mean of gradients
    std::vector<T> second_; // root of the mean of squared gradients
    double beta1_power_ = 1;
    double beta2_power_ = 1;
};

} // namespace etastar::engine

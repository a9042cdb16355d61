#pragma once

#include "etastar/engine/training.hpp"
#include "etastar/matrix/gaussian_record.hpp"

#include "layer_matrix.hpp"

#include <vector>

namespace etastar::engine {

// A hidden layer's matrix that is never stored; one run.
template <class T>
class RecordMatrix final : public LayerMatrix<T> {
public:
    RecordMatrix(matrix::GaussianRecord<T>& record, const Training& training)
        : record_(record), momentum_(training.memory == Memory::momentum ? training.momentum : 0) {}

    void forward(std::span<const std::size_t> /*runs*/, std::size_t count, const T* h, T* answer) override {
        record_.forward(count, h, answer);
    }
    void backward(std::span<const std::size_t> /*runs*/, std::size_t count, const T* d, T* answer) override {
        record_.backward(count, d, answer);
    }
    void step(std::size_t /*run*/, double rate, std::span<const double> factors, const T* /*h*/,
              const T* /*d*/) override {
        scaled_.assign(factors.begin(), factors.end());
        for (double& factor : scaled_) factor *= -rate;
        record_.step(scaled_, momentum_);
    }

private:
    matrix::GaussianRecord<T>& record_;
    double momentum_;
    std::vector<double> scaled_;
};

} // namespace etastar::engine

#include "etastar/model/data.hpp"

#include "etastar/random/normal.hpp"

#include "bits.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace etastar::model {
Examples::Examples(const RandomNetwork& network, const Data& data) : network_(network), data_(data) {
    if (data.source != DataSource::linear) return;
    std::vector<float> theta(network.input_dim());
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(theta.size())));
    random::fill_normal(network.stream(random::Role::teacher), 0, theta.size(), scale, theta.data());
    teacher_.assign(theta.begin(), theta.end());
}

std::vector<std::uint64_t> Examples::batch(std::uint32_t step) const {
    const std::uint64_t size = data_.batch_size();
    std::vector<std::uint64_t> numbers(data_.online || size == data_.samples ? size : data_.samples);
    std::iota(numbers.begin(), numbers.end(), data_.online ? step * size : 0);
    if (data_.online || size == data_.samples) return numbers;
    // The first B of a random permutation (Fisher and Yates). A word times the count, over 2^32, is within 1e-9 of uniform
    // for each choice.
    Bits bits(network_.stream(random::Role::batch));
    for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t left = data_.samples - i;
        const std::uint64_t choice = (std::uint64_t{bits.word(step * size + i)} * left) >> Bits::per_word;
        std::swap(numbers[i], numbers[i + choice]);
    }
    numbers.resize(size);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

void Examples::input(std::uint64_t example, double* out) const {
    const std::uint64_t n0 = network_.input_dim();
    if (data_.source == DataSource::file) {
        std::copy_n(data_.table->x.data() + example * n0, n0, out);
        return;
    }
    // An example begins with a word of its own.
    const std::uint64_t first = example * ((n0 + Bits::per_word - 1) / Bits::per_word) * Bits::per_word;
    Bits bits(network_.stream(random::Role::input));
    for (std::uint64_t i = 0; i < n0; ++i) out[i] = bits.sign(first + i);
}

double Examples::target(std::uint64_t example) const {
    if (data_.source == DataSource::file) return data_.table->y[example];
    if (data_.source == DataSource::random)
        return first_bit(Bits(network_.stream(random::Role::target)).word(example));
    std::vector<double> x(network_.input_dim());
    input(example, x.data());
    return std::inner_product(x.begin(), x.end(), teacher_.begin(), 0.0);
}

} // namespace etastar::model

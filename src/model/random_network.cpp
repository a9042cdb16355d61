#include "etastar/model/random_network.hpp"

#include "etastar/random/normal.hpp"

#include "bits.hpp"

namespace etastar::model {

random::Stream RandomNetwork::stream(random::Role role, std::uint32_t layer) const {
    return random::Stream({id_.seed, id_.width, id_.depth, layer, role});
}

void RandomNetwork::input(std::span<float> out) const {
    Bits bits(stream(random::Role::input));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(bits.sign(i));
}

double RandomNetwork::target() const { return first_bit(Bits(stream(random::Role::target)).word(0)); }

template <class T>
void RandomNetwork::draw_readout(std::span<T> out) const {
    random::fill_normal(stream(random::Role::readout), 0, out.size(),
                        static_cast<float>(laws_.readout.deviation), out.data());
}

void RandomNetwork::readout(std::span<float> out) const { draw_readout(out); }
void RandomNetwork::readout(std::span<double> out) const { draw_readout(out); }

template <class T>
void RandomNetwork::draw_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows,
                              T* out) const {
    const std::uint64_t cols = columns(layer);
    random::fill_normal(stream(random::Role::weights, layer), first_row * cols, rows * cols,
                        static_cast<float>(laws_[layer].deviation), out);
}

void RandomNetwork::weight_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows,
                                float* out) const {
    draw_rows(layer, first_row, rows, out);
}
void RandomNetwork::weight_rows(std::uint32_t layer, std::uint32_t first_row, std::uint32_t rows,
                                double* out) const {
    draw_rows(layer, first_row, rows, out);
}

} // namespace etastar::model

#include "etastar/network/rates.hpp"

namespace etastar::network {

Multipliers multipliers(Train train, Rates rates, std::uint32_t width, std::uint32_t input_dim) {
    const double n = width;
    const bool mup = rates == Rates::mup;
    Multipliers m;
    if (train == Train::all || train == Train::first) m.first = mup ? n / input_dim : 1.0;
    if (train == Train::all || train == Train::hidden) m.hidden = 1.0;
    if (train == Train::all || train == Train::last) m.last = mup ? 1.0 / n : 1.0;
    return m;
}

} // namespace etastar::network

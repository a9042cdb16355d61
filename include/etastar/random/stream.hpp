#pragma once

#include <array>
#include <cstdint>

namespace etastar::random {

// What a stream's numbers are used for. The values are part of the definition of every network: never
// renumber.
enum class Role : std::uint32_t {
    input = 0,    // signs of the input x
    target = 1,   // sign of the target y
    weights = 2,  // rows of a weight matrix W^l
    readout = 3,  // read-out vector v
    forward = 4,  // implicit engine: W^l h,
    backward = 5, // (W^l)^T delta,
    change = 7,   // and W^l dh
    resample = 6, // bootstrap resampling of networks
    teacher = 8,  // weights of a linear teacher
    batch = 9,    // which examples make a minibatch
};

// The name of a stream. Distinct names give streams that never overlap.
struct StreamName {
    std::uint64_t seed = 0;
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint32_t layer = 0; // 1..depth; 0 where no layer is meant
    Role role = Role::weights;
};

// One random-access sequence of 32-bit words: Philox4x32-10 (Salmon et al., SC'11; Random123).
//
// Philox is a bijection of its 128-bit counter for each 64-bit key. A name is therefore hashed by Philox
// itself,
//
//     (k0, k1, p0, p1) = philox(counter = (width, depth, layer, role), key = seed),
//
// so that two names of one seed never map to the same (k, p). Block i of the stream is
// philox(counter = (i mod 2^32, i div 2^32, p0, p1), key = (k0, k1)).
struct Stream {
    std::array<std::uint32_t, 2> key{};
    std::array<std::uint32_t, 2> prefix{};

    Stream() = default;
    explicit Stream(const StreamName& name);
};

// Words are laid out in chunks of 16 consecutive blocks, word w of block b at position 16 w + b: the layout
// that a vector unit produces. Position i of a stream is in chunk i / chunk_size.
inline constexpr std::size_t chunk_size = 64;

// Fills out[0, 64 chunks) with the raw words of chunks [first_chunk, first_chunk + chunks).
void fill_words(const Stream& stream, std::uint64_t first_chunk, std::size_t chunks, std::uint32_t* out);

} // namespace etastar::random

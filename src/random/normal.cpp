#include "etastar/random/normal.hpp"

#include "etastar/random/stream.hpp"

#include "../isa.hpp"
#include "kernels.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <iterator>

namespace etastar::random {

ETASTAR_KERNEL_COPIES(Kernels, supported_kernels, widest_kernels)

Stream::Stream(const StreamName& name) {
    const r123::Philox4x32::ctr_type counter{
        {name.width, name.depth, name.layer, static_cast<std::uint32_t>(name.role)}};
    const r123::Philox4x32::key_type seed{
        {static_cast<std::uint32_t>(name.seed), static_cast<std::uint32_t>(name.seed >> 32)}};
    const auto hashed = r123::Philox4x32{}(counter, seed);
    key = {hashed[0], hashed[1]};
    prefix = {hashed[2], hashed[3]};
}

void fill_words(const Stream& stream, std::uint64_t first_chunk, std::size_t chunks, std::uint32_t* out) {
    widest_kernels().words(stream.key.data(), stream.prefix.data(), first_chunk, chunks, out);
}

void fill_normal(const Stream& stream, std::uint64_t first, std::size_t count, float scale, float* out) {
    const auto draw = [&](std::uint64_t chunk, std::size_t chunks, float* to) {
        widest_kernels().normals(stream.key.data(), stream.prefix.data(), chunk, chunks, scale, to);
    };
    const auto partial = [&](std::size_t skip, std::size_t take) {
        float chunk[chunk_size];
        draw(first / chunk_size, 1, chunk);
        std::copy_n(chunk + skip, take, out);
        out += take;
        first += take;
        count -= take;
    };
    if (const std::size_t skip = first % chunk_size; skip != 0 && count != 0)
        partial(skip, std::min(count, chunk_size - skip));
    const std::size_t whole = count / chunk_size;
    draw(first / chunk_size, whole, out);
    out += whole * chunk_size;
    first += whole * chunk_size;
    count -= whole * chunk_size;
    if (count != 0) partial(0, count);
}

void fill_normal(const Stream& stream, std::uint64_t first, std::size_t count, float scale, double* out) {
    float part[16 * chunk_size];
    for (std::size_t i = 0; i < count; i += std::size(part)) {
        const std::size_t length = std::min(std::size(part), count - i);
        fill_normal(stream, first + i, length, scale, part);
        std::copy_n(part, length, out + i);
    }
}

} // namespace etastar::random

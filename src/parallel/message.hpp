#pragma once

#include "etastar/parallel/runner.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// What travels between ranks. All ranks run the same binary on like machines, so values travel as they stand
// in memory.
namespace etastar::parallel {

std::vector<std::byte> pack_work(const std::vector<std::uint64_t>& networks);
std::vector<std::uint64_t> unpack_work(std::span<const std::byte> payload);

std::vector<std::byte> pack_results(const std::vector<NetworkResult>& results);
std::vector<NetworkResult> unpack_results(std::span<const std::byte> payload);

} // namespace etastar::parallel

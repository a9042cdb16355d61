#pragma once

#include "etastar/parallel/dispatcher.hpp"
#include "etastar/parallel/result.hpp"

#include <cstddef>
#include <span>
#include <vector>

// What travels between ranks. All ranks run the same binary on like machines, so values travel as they stand
// in memory.
namespace etastar::parallel {

std::vector<std::byte> pack_work(const Work& work);
Work unpack_work(std::span<const std::byte> payload);

std::vector<std::byte> pack_results(const std::vector<NetworkResult>& results);
std::vector<NetworkResult> unpack_results(std::span<const std::byte> payload);

std::vector<std::byte> pack_number(double number);
double unpack_number(std::span<const std::byte> payload);

} // namespace etastar::parallel

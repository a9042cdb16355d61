#pragma once

#include <cstddef>
#include <vector>

namespace etastar::engine {

// Room for what a network keeps between its passes, reused from network to network. It never shrinks: large
// and small networks alternate, and the system's work on fresh memory would cost as much as the trials.
template <class T, class Allocator>
void reserve_kept(std::vector<T, Allocator>& kept, std::size_t size) {
    if (kept.size() >= size) return;
    std::vector<T, Allocator>().swap(kept); // first: nothing in it is needed, and both would not fit
    kept.resize(size);
}

} // namespace etastar::engine

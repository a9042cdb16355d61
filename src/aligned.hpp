#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace etastar {

// Where operands of the BLAS begin: some of its kernels (OpenBLAS's for processors with SSE3) sum in an order that
// depends on the address modulo a vector's length. A cache line holds a whole number of the longest vectors.
inline constexpr std::size_t operand_alignment = 64; // bytes

template <class T>
struct AlignedAllocator {
    using value_type = T;
    static constexpr std::align_val_t alignment{operand_alignment};

    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}

    T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T*>(::operator new(count * sizeof(T), alignment));
    }
    void deallocate(T* values, std::size_t) { ::operator delete(values, alignment); }

    friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

// A vector whose first value stands at a multiple of operand_alignment.
template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// The least count of values, not below `count`, after which the next one is aligned again.
template <class T>
constexpr std::size_t aligned_count(std::size_t count) {
    constexpr std::size_t step = operand_alignment / sizeof(T);
    return (count + step - 1) / step * step;
}

} // namespace etastar

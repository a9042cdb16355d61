#include "blas_turns.hpp"

#include "etastar/engine/blas.hpp"

#include "blas_library.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <semaphore>
#include <vector>

namespace etastar::engine {
namespace {

// Where every thread may have a product at a time there are no turns.
std::optional<std::counting_semaphore<>> turns;

bool has_room(std::size_t bytes) {
    void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    ::munmap(room, bytes);
    return true;
}

// Of the library that the products come from; null where it has none of this name, or is linked.
template <class Function>
Function* function_beside_products(const char* name) {
    Dl_info info;
    if (::dladdr(reinterpret_cast<void*>(blas_library().sgemm), &info) == 0) return nullptr;
    void* library = ::dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) return nullptr;
    auto* function = reinterpret_cast<Function*>(::dlsym(library, name));
    ::dlclose(library); // it stays loaded
    return function;
}

// OpenBLAS maps a buffer for each of the products that it computes at a time, keeps it, and tries for ever where there is
// no room. So they are mapped now, where there is room for the networks, too. Returns how many there are.
std::size_t map_buffers(std::size_t wanted) {
    constexpr std::size_t room = std::size_t{1} << 29; // buffers have 32 or 128 MiB
    auto* const allocate = function_beside_products<void*(int)>("blas_memory_alloc");
    auto* const release = function_beside_products<void(void*)>("blas_memory_free");
    if (allocate == nullptr || release == nullptr) return wanted;
    std::vector<void*> buffers;
    while (buffers.size() < wanted && (buffers.empty() || has_room(room))) buffers.push_back(allocate(0));
    for (void* buffer : buffers) release(buffer);
    return buffers.size();
}

} // namespace

BlasTurn::BlasTurn() {
    if (turns) turns->acquire();
}

BlasTurn::~BlasTurn() {
    if (turns) turns->release();
}

std::size_t products_at_a_time(std::string_view version) {
    // "SINGLE_THREADED" in OpenBLAS's own words; "SERIAL" in names that FlexiBLAS gives its backends.
    for (const auto* word : {"SINGLE_THREADED", "SERIAL"})
        if (version.find(word) != std::string_view::npos) return 1;
    if (!version.starts_with("OpenBLAS")) return std::numeric_limits<std::size_t>::max();
    std::size_t threads = 0;
    constexpr std::string_view key = "MAX_THREADS=";
    if (const auto at = version.find(key); at != std::string_view::npos)
        std::from_chars(version.data() + at + key.size(), version.data() + version.size(), threads);
    // NUM_BUFFERS of its memory.c, less those that it keeps to itself.
    return std::max<std::size_t>(50, 2 * threads) - 2;
}

std::size_t prepare_turns(std::size_t threads) {
    turns.reset();
    std::size_t products = std::min(threads, products_at_a_time(blas_version()));
    if (products > 1) products = map_buffers(products);
    if (products < threads) turns.emplace(static_cast<std::ptrdiff_t>(products));
    return products;
}

} // namespace etastar::engine

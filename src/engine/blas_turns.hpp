#pragma once

#include <cstddef>
#include <string_view>

namespace etastar::engine {

// Held while a product is computed: where the BLAS bears fewer products at a time than there are threads, they take turns.
class BlasTurn {
public:
    BlasTurn();
    ~BlasTurn();
    BlasTurn(const BlasTurn&) = delete;
    BlasTurn& operator=(const BlasTurn&) = delete;
};

// Prepares the BLAS for products of this many threads at a time; returns how many it bears. Before there are other threads.
std::size_t prepare_turns(std::size_t threads);

// How many products at a time a BLAS bears that calls itself so, its buffers apart. A build without threads has no lock for the
// list of its buffers, and OpenBLAS has a limited number of them.
std::size_t products_at_a_time(std::string_view version);

} // namespace etastar::engine

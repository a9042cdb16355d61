#pragma once

#include "etastar/cost.hpp"
#include "etastar/model/random_network.hpp"
#include "etastar/sweep/spec.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace etastar::plan {

// One (width, depth) of the grid.
struct Cell {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::vector<double> etas; // base learning rates, absolute, ascending
    Cost cost;                // of one of its networks, once the plan is priced
};

// A sweep's grid, made once: its cells with absolute rates, and the order, names and costs of its networks.
//
// Canonical order: width, then depth, then seed, and of a network's rows the rates. Networks and rows are numbered
// from 0 in that order, everywhere.
class Plan {
public:
    // Rates in units of eta*_lin are made absolute by theory. Throws UsageError where that is not finite and positive,
    // or no theory covers the model.
    explicit Plan(sweep::Spec spec);

    // Rates as a file has them: W x D x E values in canonical order. Throws UsageError where these are not the spec's.
    Plan(sweep::Spec spec, std::span<const double> etas, std::string unit_theory = {});

    const sweep::Spec& spec() const { return spec_; }
    std::span<const Cell> cells() const { return cells_; } // by width, then depth
    std::uint64_t networks() const { return spec_.networks(); }
    std::uint64_t rows() const { return spec_.rows(); }
    std::size_t rates() const { return spec_.eta.size(); }

    const Cell& cell_of(std::uint64_t network) const { return cells_[network / spec_.seeds]; }
    model::NetworkId id(std::uint64_t network) const;

    // All rates, as the constructor takes them.
    std::vector<double> etas() const;

    // The theory whose eta*_lin is the unit of the rates; empty where they were given as absolute.
    const std::string& unit_theory() const { return unit_theory_; }

    // Sets the cells' costs.
    void price(const std::function<Cost(const Cell&)>& cost_of);

private:
    sweep::Spec spec_;
    std::vector<Cell> cells_;
    std::string unit_theory_;
};

} // namespace etastar::plan

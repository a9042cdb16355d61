#pragma once

#include "etastar/analysis/statistics.hpp"
#include "etastar/analysis/table.hpp"
#include "etastar/model/model.hpp"
#include "etastar/theory/theory.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace etastar::analysis {

// A network's size.
struct Place {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;

    friend bool operator==(const Place&, const Place&) = default;
};

// By what a learning rate changes from one network to another of the same model: eta*(to) / eta*(from), layer last.
struct Transfer {
    double factor = 1;
    std::optional<Interval> ci95; // 95 %; theory has none, nor a measurement without error bars
    std::string law;              // the name of the theory, or "measured"
};

// By the first theory that covers both ends: of finite width, else of infinite width. Throws UsageError where none does, or
// no rate reaches the threshold.
Transfer transfer_by_theory(const model::Model& model, theory::Criterion criterion, double threshold,
                            Place from, Place to);

// From the fit of both cells of a table, whose networks are independent. Throws UsageError where the table is of another
// model, lacks a cell, or has no estimate of one.
Transfer transfer_by_measurement(const TrialTable& table, const model::Model& model,
                                 theory::Criterion criterion, double threshold, Place from, Place to);

} // namespace etastar::analysis

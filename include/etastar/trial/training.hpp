#pragma once

#include "etastar/engine/training.hpp"
#include "etastar/trial/kind.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace etastar::trial {

// A network trained at one rate: a row. The layout is the file's.
struct TrainingRow {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t seed = 0;
    double eta = 0;
    std::uint64_t steps_done = 0;
    double loss_initial = 0;
    double loss_final = 0;
    double loss_min = 0;
    double dz2_final = 0;
    double kernel_initial = 0;
    double kernel_final = 0;
    RowEnd end;
};
static_assert(sizeof(TrainingRow) == 88 && std::is_trivially_copyable_v<TrainingRow>);

inline constexpr Column training_columns[] = {
    {"width", Scalar::u32, offsetof(TrainingRow, width), "width n of the hidden layers"},
    {"depth", Scalar::u32, offsetof(TrainingRow, depth), "depth L, number of hidden layers"},
    {"seed", Scalar::u64, offsetof(TrainingRow, seed), "seed of the network"},
    {"eta", Scalar::f64, offsetof(TrainingRow, eta), "base learning rate, absolute"},
    {"steps_done", Scalar::u64, offsetof(TrainingRow, steps_done),
     "steps t1 that were taken: all T, or those before the run was given up"},
    {"loss_initial", Scalar::f64, offsetof(TrainingRow, loss_initial),
     "loss, mean of (f - y)^2 / 2 over examples, before the first step"},
    {"loss_final", Scalar::f64, offsetof(TrainingRow, loss_final), "loss after the last step, t1"},
    {"loss_min", Scalar::f64, offsetof(TrainingRow, loss_min), "smallest loss of steps 0 to t1"},
    {"dz2_final", Scalar::f64, offsetof(TrainingRow, dz2_final),
     "||z^L(t1) - z^L(0)||^2 / n of the last layer, mean over examples"},
    {"kernel_initial", Scalar::f64, offsetof(TrainingRow, kernel_initial),
     "largest eigenvalue of the tangent kernel before the first step"},
    {"kernel_final", Scalar::f64, offsetof(TrainingRow, kernel_final),
     "largest eigenvalue of the tangent kernel after step T"},
    {"status", Scalar::status, offsetof(TrainingRow, end) + offsetof(RowEnd, status),
     "what became of the trial"},
    {"check", Scalar::u32, offsetof(TrainingRow, end) + offsetof(RowEnd, check),
     "CRC-32 of the row before it"},
};
inline constexpr RowType training_row{training_columns, sizeof(TrainingRow)};
static_assert(well_formed(training_row));

class Training final : public Kind {
public:
    std::string_view name() const override { return sweep::training_trial; }
    const RowType& row() const override { return training_row; }

    // /steps/loss: of every rate the loss at t = 0 .. T, NaN beyond where a run stopped.
    std::vector<Table> tables(const sweep::Spec& spec) const override;
    bool consistent(const RecordLayout& layout, ConstBytes record) const override;
    Cost cost(const sweep::Spec& spec, const plan::Cell& cell, std::size_t weight_budget) const override;
    std::unique_ptr<Worker> worker(const plan::Plan& plan, std::size_t weight_budget) const override;
};

// The network's record: its rows, sealed, and its losses, in the order of the rates.
std::vector<std::byte> training_record(const RecordLayout& layout, const model::NetworkId& id,
                                       std::span<const double> etas,
                                       std::span<const engine::TrainingOutcome> outcomes);

} // namespace etastar::trial

#pragma once

#include "etastar/engine/engine.hpp"
#include "etastar/trial/kind.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace etastar::trial {

// One step of gradient descent on a network at initialisation, at every rate: a row. The layout is the file's.
struct FirstStepRow {
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t seed = 0;
    double eta = 0;
    double target = 0;
    double output = 0;
    double output_after = 0;
    double loss = 0;
    double loss_after = 0;
    double dz2_last = 0;
    double dz2_max = 0;
    double dz2_mean = 0;
    double response_last = 0;
    double response_max = 0;
    double response_mean = 0;
    double response_output = 0;
    double z2_last = 0;
    double z2_max = 0;
    double z2_mean = 0;
    RowEnd end;
};
static_assert(sizeof(FirstStepRow) == 152 && std::is_trivially_copyable_v<FirstStepRow>);

// What the fields are; the HDF5 type, the reader, the estimators' columns and the check of docs/format.md come from here.
inline constexpr Column first_step_columns[] = {
    {"width", Scalar::u32, offsetof(FirstStepRow, width), "width n of the hidden layers"},
    {"depth", Scalar::u32, offsetof(FirstStepRow, depth), "depth L, number of hidden layers"},
    {"seed", Scalar::u64, offsetof(FirstStepRow, seed), "seed of the network"},
    {"eta", Scalar::f64, offsetof(FirstStepRow, eta), "base learning rate, absolute"},
    {"target", Scalar::f64, offsetof(FirstStepRow, target), "target y, -1 or 1"},
    {"output", Scalar::f64, offsetof(FirstStepRow, output), "output f before the step"},
    {"output_after", Scalar::f64, offsetof(FirstStepRow, output_after), "output f after the step"},
    {"loss", Scalar::f64, offsetof(FirstStepRow, loss), "loss (f - y)^2 / 2 before the step"},
    {"loss_after", Scalar::f64, offsetof(FirstStepRow, loss_after), "loss (f - y)^2 / 2 after the step"},
    {"dz2_last", Scalar::f64, offsetof(FirstStepRow, dz2_last),
     "||dz^l||^2 / n of the step: last layer, l = L"},
    {"dz2_max", Scalar::f64, offsetof(FirstStepRow, dz2_max),
     "||dz^l||^2 / n of the step: largest over layers l"},
    {"dz2_mean", Scalar::f64, offsetof(FirstStepRow, dz2_mean),
     "||dz^l||^2 / n of the step: mean over layers l"},
    {"response_last", Scalar::f64, offsetof(FirstStepRow, response_last),
     "response G_l, ||dz^l||^2 / n per eta^2 to first order and unit error: last layer, l = L"},
    {"response_max", Scalar::f64, offsetof(FirstStepRow, response_max),
     "response G_l, ||dz^l||^2 / n per eta^2 to first order and unit error: largest over layers l"},
    {"response_mean", Scalar::f64, offsetof(FirstStepRow, response_mean),
     "response G_l, ||dz^l||^2 / n per eta^2 to first order and unit error: mean over layers l"},
    {"response_output", Scalar::f64, offsetof(FirstStepRow, response_output),
     "Theta^2, where df/deta = -(f - y) Theta at eta = 0"},
    {"z2_last", Scalar::f64, offsetof(FirstStepRow, z2_last),
     "||z^l||^2 / n before the step: last layer, l = L"},
    {"z2_max", Scalar::f64, offsetof(FirstStepRow, z2_max),
     "||z^l||^2 / n before the step: largest over layers l"},
    {"z2_mean", Scalar::f64, offsetof(FirstStepRow, z2_mean),
     "||z^l||^2 / n before the step: mean over layers l"},
    {"status", Scalar::status, offsetof(FirstStepRow, end) + offsetof(RowEnd, status),
     "what became of the trial"},
    {"check", Scalar::u32, offsetof(FirstStepRow, end) + offsetof(RowEnd, check),
     "CRC-32 of the row before it"},
};
inline constexpr RowType first_step_row{first_step_columns, sizeof(FirstStepRow)};
static_assert(well_formed(first_step_row));

class FirstStep final : public Kind {
public:
    std::string_view name() const override { return "first-step"; }
    const RowType& row() const override { return first_step_row; }

    // /profile/response: G_l of every layer, NaN beyond the network's depth; where the spec asks for it.
    std::vector<Table> tables(const sweep::Spec& spec) const override;
    bool consistent(const RecordLayout& layout, ConstBytes record) const override;
    Cost cost(const sweep::Spec& spec, const plan::Cell& cell, std::size_t weight_budget) const override;
    std::unique_ptr<Worker> worker(const plan::Plan& plan, std::size_t weight_budget) const override;
};

// The network's rows, sealed, in the order of the rates.
std::vector<FirstStepRow> first_step_rows(const model::NetworkId& id, std::span<const double> etas,
                                          const engine::NetworkOutcome& outcome);

} // namespace etastar::trial

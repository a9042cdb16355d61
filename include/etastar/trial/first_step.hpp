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
    {"width", Scalar::u32, offsetof(FirstStepRow, width), "n"},
    {"depth", Scalar::u32, offsetof(FirstStepRow, depth), "L, number of hidden layers"},
    {"seed", Scalar::u64, offsetof(FirstStepRow, seed), "seed of the network"},
    {"eta", Scalar::f64, offsetof(FirstStepRow, eta), "base learning rate, absolute"},
    {"target", Scalar::f64, offsetof(FirstStepRow, target), "y"},
    {"output", Scalar::f64, offsetof(FirstStepRow, output), "f before the step"},
    {"output_after", Scalar::f64, offsetof(FirstStepRow, output_after), "f after it"},
    {"loss", Scalar::f64, offsetof(FirstStepRow, loss), "(f - y)^2 / 2 before the step"},
    {"loss_after", Scalar::f64, offsetof(FirstStepRow, loss_after), "and after it"},
    {"dz2_last", Scalar::f64, offsetof(FirstStepRow, dz2_last), "finite step: ||dz^l||^2 / n at l = L"},
    {"dz2_max", Scalar::f64, offsetof(FirstStepRow, dz2_max), "its largest over l"},
    {"dz2_mean", Scalar::f64, offsetof(FirstStepRow, dz2_mean), "its mean over l"},
    {"response_last", Scalar::f64, offsetof(FirstStepRow, response_last), "linear order: G_l at l = L"},
    {"response_max", Scalar::f64, offsetof(FirstStepRow, response_max), "its largest over l"},
    {"response_mean", Scalar::f64, offsetof(FirstStepRow, response_mean), "its mean over l"},
    {"response_output", Scalar::f64, offsetof(FirstStepRow, response_output),
     "Theta^2, df/deta = -(f - y) Theta"},
    {"z2_last", Scalar::f64, offsetof(FirstStepRow, z2_last), "||z^l||^2 / n before the step at l = L"},
    {"z2_max", Scalar::f64, offsetof(FirstStepRow, z2_max), "its largest over l"},
    {"z2_mean", Scalar::f64, offsetof(FirstStepRow, z2_mean), "its mean over l"},
    {"status", Scalar::status, offsetof(FirstStepRow, end) + offsetof(RowEnd, status),
     "what became of the trial"},
    {"check", Scalar::u32, offsetof(FirstStepRow, end) + offsetof(RowEnd, check), "checksum of the row"},
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

#include "etastar/trial/training.hpp"

#include "../floating.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace etastar::trial {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// What rows keep of the losses of a run; a loss that is no number is infinite.
struct OverSteps {
    double initial;
    double final;
    double min;

    explicit OverSteps(std::span<const double> losses)
        : initial(losses.front()),
          final(losses.back()),
          min(*std::min_element(losses.begin(), losses.end())) {}
};

bool all_finite(const TrainingRow& row) {
    const double values[] = {row.loss_initial, row.loss_final,     row.loss_min,
                             row.dz2_final,    row.kernel_initial, row.kernel_final};
    return std::all_of(std::begin(values), std::end(values), [](double x) { return std::isfinite(x); });
}

TrainingRow row_of(const model::NetworkId& id, double eta, std::span<const double> losses,
                   const engine::TrainingOutcome& outcome) {
    const OverSteps loss(losses);
    TrainingRow row;
    row.width = id.width;
    row.depth = id.depth;
    row.seed = id.seed;
    row.eta = eta;
    row.steps_done = outcome.steps_done();
    row.loss_initial = loss.initial;
    row.loss_final = loss.final;
    row.loss_min = loss.min;
    row.dz2_final = infinite_if_nan(outcome.dz2_final);
    row.kernel_initial = outcome.kernel_initial;
    row.kernel_final = outcome.diverged ? nan : outcome.kernel_final;
    row.end = {.status = !outcome.diverged && all_finite(row) ? Status::done : Status::nonfinite};
    seal(training_row, std::as_writable_bytes(std::span(&row, 1)));
    return row;
}

class TrainingWorker final : public Worker {
public:
    TrainingWorker(const plan::Plan& plan, const RecordLayout& layout, std::size_t weight_budget)
        : plan_(plan),
          layout_(layout),
          trainer_(engine::make_trainer(plan.spec().settings(weight_budget), plan.spec().training)) {}

    std::vector<std::byte> run(std::uint64_t network) override {
        const auto id = plan_.id(network);
        const auto& etas = plan_.cell_of(network).etas;
        return training_record(layout_, id, etas, trainer_->run(id, etas));
    }

private:
    plan::Plan plan_;
    RecordLayout layout_;
    std::unique_ptr<engine::Trainer> trainer_;
};

} // namespace

std::vector<Table> Training::tables(const sweep::Spec& spec) const {
    return {{.group = "steps",
             .name = "loss",
             .rows = spec.eta.size(),
             .columns = std::uint64_t{spec.training.steps} + 1,
             .analysed = true,
             .per_rate = true,
             .meaning = "loss after each step, NaN beyond the last",
             .column = "step",
             .column_meaning = "steps t that were taken before"}};
}

bool Training::consistent(const RecordLayout& layout, ConstBytes record) const {
    const auto columns = layout.tables().front().columns;
    std::vector<double> losses(columns);
    for (std::size_t k = 0; k < layout.rates(); ++k) {
        TrainingRow row;
        std::memcpy(&row, layout.row(record, k).data(), sizeof(row));
        const auto bytes =
            layout.table(record, 0).subspan(k * columns * sizeof(double), columns * sizeof(double));
        std::memcpy(losses.data(), bytes.data(), bytes.size());
        if (row.steps_done >= columns) return false;
        const auto ran = std::span(losses).first(row.steps_done + 1);
        const auto beyond = std::span(losses).subspan(ran.size());
        const OverSteps loss(ran);
        if (loss.initial != row.loss_initial || loss.final != row.loss_final || loss.min != row.loss_min
            || !std::all_of(beyond.begin(), beyond.end(), [](double x) { return std::isnan(x); }))
            return false;
    }
    return true;
}

Cost Training::cost(const sweep::Spec& spec, const plan::Cell& cell, std::size_t weight_budget) const {
    auto cost = engine::training_cost(spec.settings(weight_budget), spec.training, cell.width, cell.depth,
                                      spec.eta.size());
    cost.bytes += layout(spec).bytes();
    if (const auto& table = spec.training.data.table)
        cost.bytes += (table->x.size() + table->y.size()) * sizeof(double);
    return cost;
}

std::unique_ptr<Worker> Training::worker(const plan::Plan& plan, std::size_t weight_budget) const {
    return std::make_unique<TrainingWorker>(plan, layout(plan.spec()), weight_budget);
}

std::vector<std::byte> training_record(const RecordLayout& layout, const model::NetworkId& id,
                                       std::span<const double> etas,
                                       std::span<const engine::TrainingOutcome> outcomes) {
    std::vector<std::byte> record(layout.bytes());
    const auto columns = layout.tables().front().columns;
    std::vector<double> losses;
    losses.reserve(columns);
    for (std::size_t k = 0; k < etas.size(); ++k) {
        const auto& outcome = outcomes[k];
        if (outcome.loss.empty() || outcome.loss.size() > columns
            || (!outcome.diverged && outcome.loss.size() < columns))
            throw std::logic_error("a run of training has other losses than its steps");
        losses.clear();
        for (const double loss : outcome.loss) losses.push_back(infinite_if_nan(loss));
        const auto row = row_of(id, etas[k], losses, outcome);
        losses.resize(columns, nan);
        std::memcpy(layout.row(record, k).data(), &row, sizeof(row));
        std::memcpy(layout.table(record, 0).data() + k * columns * sizeof(double), losses.data(),
                    columns * sizeof(double));
    }
    return record;
}

} // namespace etastar::trial

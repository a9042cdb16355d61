#include "etastar/trial/first_step.hpp"

#include "../floating.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace etastar::trial {
namespace {

bool all_finite(const FirstStepRow& row) {
    const double values[] = {row.output,       row.loss,          row.output_after,    row.loss_after,
                             row.dz2_last,     row.dz2_max,       row.dz2_mean,        row.response_last,
                             row.response_max, row.response_mean, row.response_output, row.z2_last,
                             row.z2_max,       row.z2_mean};
    return std::all_of(std::begin(values), std::end(values), [](double x) { return std::isfinite(x); });
}

class FirstStepWorker final : public Worker {
public:
    FirstStepWorker(const plan::Plan& plan, const RecordLayout& layout, std::size_t weight_budget)
        : plan_(plan), layout_(layout), engine_(engine::make_engine(plan.spec().settings(weight_budget))) {}

    std::vector<std::byte> run(std::uint64_t network) override {
        const auto id = plan_.id(network);
        const auto& etas = plan_.cell_of(network).etas;
        auto outcome = engine_->run(id, etas);
        const auto rows = first_step_rows(id, etas, outcome);
        std::vector<std::byte> record(layout_.bytes());
        std::memcpy(layout_.rows(record).data(), rows.data(), layout_.rows_bytes());
        for (const auto& table : layout_.tables()) {
            outcome.response.resize(table.columns, std::numeric_limits<double>::quiet_NaN());
            std::memcpy(layout_.table(record, 0).data(), outcome.response.data(), layout_.table_bytes(0));
        }
        return record;
    }

private:
    plan::Plan plan_;
    RecordLayout layout_;
    std::unique_ptr<engine::Engine> engine_;
};

} // namespace

std::vector<Table> FirstStep::tables(const sweep::Spec& spec) const {
    if (!spec.response_profile) return {};
    return {{.group = "profile",
             .name = "response",
             .rows = 1,
             .columns = spec.depth.back(),
             .meaning = "response G_l of every layer, NaN beyond the depth",
             .column = "layer",
             .column_meaning = "hidden layer l",
             .first_column = 1}};
}

bool FirstStep::consistent(const RecordLayout& layout, ConstBytes record) const {
    if (layout.tables().empty()) return true;
    FirstStepRow row;
    std::memcpy(&row, layout.row(record, 0).data(), sizeof(row));
    double last = 0;
    std::memcpy(&last, layout.table(record, 0).data() + (row.depth - 1) * sizeof(double), sizeof(last));
    return last == row.response_last || (std::isnan(last) && std::isnan(row.response_last));
}

Cost FirstStep::cost(const sweep::Spec& spec, const plan::Cell& cell, std::size_t weight_budget) const {
    return engine::cost(spec.settings(weight_budget), cell.width, cell.depth, spec.eta.size());
}

std::unique_ptr<Worker> FirstStep::worker(const plan::Plan& plan, std::size_t weight_budget) const {
    return std::make_unique<FirstStepWorker>(plan, layout(plan.spec()), weight_budget);
}

namespace {

// What rows keep of a value per layer.
struct OverLayers {
    double last;
    double max;
    double mean;

    explicit OverLayers(const std::vector<double>& values)
        : last(values.back()),
          max(*std::max_element(values.begin(), values.end())),
          mean(std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size())) {}
};

} // namespace

std::vector<FirstStepRow> first_step_rows(const model::NetworkId& id, std::span<const double> etas,
                                          const engine::NetworkOutcome& outcome) {
    const auto half_square = [](double x) { return x * x / 2; };
    FirstStepRow row;
    row.width = id.width;
    row.depth = id.depth;
    row.seed = id.seed;
    row.target = outcome.target;
    row.output = outcome.output;
    row.loss = half_square(outcome.output - outcome.target);
    const OverLayers response(outcome.response);
    row.response_last = response.last;
    row.response_max = response.max;
    row.response_mean = response.mean;
    row.response_output = outcome.response_output;
    const OverLayers size(outcome.size);
    row.z2_last = size.last;
    row.z2_max = size.max;
    row.z2_mean = size.mean;

    std::vector<FirstStepRow> rows;
    rows.reserve(etas.size());
    for (std::size_t k = 0; k < etas.size(); ++k) {
        const auto& step = outcome.steps[k];
        row.eta = etas[k];
        row.output_after = step.output_after;
        row.loss_after = half_square(step.output_after - outcome.target);
        // A change that left the range of floating point is larger than any threshold, whatever its last bits say.
        row.dz2_last = infinite_if_nan(step.dz2_last);
        row.dz2_max = infinite_if_nan(step.dz2_max);
        row.dz2_mean = infinite_if_nan(step.dz2_mean);
        row.end = {.status = all_finite(row) ? Status::done : Status::nonfinite};
        rows.push_back(row);
        seal(first_step_row, std::as_writable_bytes(std::span(&rows.back(), 1)));
    }
    return rows;
}

} // namespace etastar::trial

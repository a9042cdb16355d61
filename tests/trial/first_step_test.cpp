#include "etastar/error.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/first_step.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>

using namespace etastar;
using trial::Status;

namespace {

const trial::Kind& first_step() { return trial::find_kind("first-step"); }

} // namespace

TEST_CASE("kinds are found by name, and the message names the choices") {
    for (const auto* kind : trial::kinds()) CHECK(&trial::find_kind(kind->name()) == kind);
    try {
        trial::find_kind("second-step");
        FAIL_CHECK("found");
    } catch (const UsageError& error) {
        CHECK(std::string(error.what()) == "trial: 'second-step' is not one of first-step, training");
    }
}

TEST_CASE("a worker's record is the engine's outcome, with the responses of every layer where asked for") {
    auto spec = test::small_spec();
    for (const bool profile : {false, true}) {
        spec.response_profile = profile;
        const plan::Plan plan(spec);
        const auto layout = first_step().layout(spec);
        REQUIRE(layout.tables().size() == (profile ? 1 : 0));
        const auto worker = first_step().worker(plan, engine::default_weight_budget);
        const auto engine = engine::make_engine({.model = spec.model, .kind = spec.engine});
        for (std::uint64_t network = 0; network < plan.networks(); ++network) {
            const auto record = worker->run(network);
            REQUIRE(record.size() == layout.bytes());
            const auto outcome = engine->run(plan.id(network), spec.eta);
            CHECK(test::same_bytes(test::rows_of<>(layout.rows(record)),
                                   trial::first_step_rows(plan.id(network), spec.eta, outcome)));
            CHECK(first_step().consistent(layout, record));
            if (!profile) continue;
            const auto responses = test::rows_of<double>(layout.table(record, 0));
            REQUIRE(responses.size() == 3);
            for (std::size_t l = 0; l < 3; ++l)
                if (l < plan.id(network).depth)
                    CHECK(responses[l] == outcome.response[l]);
                else
                    CHECK(std::isnan(responses[l]));
        }
    }
}

TEST_CASE("rows and responses of different runs are not consistent") {
    auto spec = test::small_spec();
    spec.response_profile = true;
    const plan::Plan plan(spec);
    const auto layout = first_step().layout(spec);
    auto record = test::made_up_record(plan, layout, 0, 0.5);
    CHECK(first_step().consistent(layout, record));
    const auto other = test::made_up_record(plan, layout, 0, 0.75);
    const auto table = layout.table(other, 0);
    std::copy(table.begin(), table.end(), layout.table(record, 0).begin());
    CHECK_FALSE(first_step().consistent(layout, record));
}

TEST_CASE("a row's sums follow from the outcome") {
    engine::NetworkOutcome outcome;
    outcome.target = -1;
    outcome.output = 0.5;
    outcome.response = {1, 5, 3};
    outcome.response_output = 4;
    outcome.size = {2, 4, 0};
    outcome.steps = {{0.25, 2, 6, 4}, {std::nan(""), std::nan(""), HUGE_VAL, 1}};
    const auto rows = trial::first_step_rows({8, 3, 11}, std::vector<double>{0.1, 0.2}, outcome);
    REQUIRE(rows.size() == 2);
    for (const auto& row : rows) {
        CHECK(test::intact(row));
        CHECK(row.width == 8);
        CHECK(row.depth == 3);
        CHECK(row.seed == 11);
        CHECK(row.loss == 1.5 * 1.5 / 2);
        CHECK(row.response_last == 3);
        CHECK(row.response_max == 5);
        CHECK(row.response_mean == 3);
        CHECK(row.response_output == 4);
        CHECK(row.z2_last == 0);
        CHECK(row.z2_max == 4);
        CHECK(row.z2_mean == 2);
    }
    CHECK(rows[0].end.status == Status::done);
    CHECK(rows[0].eta == 0.1);
    CHECK(rows[0].output_after == 0.25);
    CHECK(rows[0].loss_after == 1.25 * 1.25 / 2);
    CHECK(rows[0].dz2_last == 2);
    CHECK(rows[0].dz2_max == 6);
    CHECK(rows[0].dz2_mean == 4);
    CHECK(rows[1].end.status == Status::nonfinite);
    CHECK(rows[1].dz2_last == HUGE_VAL);
    CHECK(std::isnan(rows[1].output_after));
}

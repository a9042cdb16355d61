#include "etastar/error.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>

using namespace etastar;

namespace {

sweep::Spec linear_spec() {
    auto spec = test::small_spec();
    spec.eta = {0.5, 2.0};
    spec.eta_unit = sweep::EtaUnit::linear;
    return spec;
}

} // namespace

TEST_CASE("networks are in canonical order: width, depth, seed") {
    auto spec = test::small_spec();
    spec.width = {2, 4};
    spec.depth = {1, 3, 5};
    spec.seeds = 2;
    spec.first_seed = 10;
    const plan::Plan plan(spec);
    CHECK(plan.spec() == spec);
    REQUIRE(plan.networks() == 12);
    CHECK(plan.rows() == 36);
    CHECK(plan.rates() == 3);
    REQUIRE(plan.cells().size() == 6);
    std::uint64_t i = 0;
    std::size_t c = 0;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            const auto& cell = plan.cells()[c++];
            CHECK(cell.width == width);
            CHECK(cell.depth == depth);
            for (std::uint64_t seed = 10; seed < 12; ++seed) {
                CHECK(&plan.cell_of(i) == &cell);
                CHECK(plan.id(i++) == model::NetworkId{width, depth, seed});
            }
        }
}

TEST_CASE("seeds may go up to the last") {
    auto spec = test::small_spec();
    spec.first_seed = ~std::uint64_t{0} - 4;
    const plan::Plan plan(spec);
    CHECK(plan.id(0).seed == spec.first_seed);
    CHECK(plan.id(4).seed == ~std::uint64_t{0});
    CHECK(plan.id(5).seed == spec.first_seed);
}

TEST_CASE("absolute rates are the axis in every cell, and have no theory") {
    auto spec = test::small_spec();
    spec.model.train = model::Train::last;
    const plan::Plan plan(spec);
    for (const auto& cell : plan.cells()) CHECK(cell.etas == spec.eta);
    CHECK(plan.unit_theory().empty());
}

TEST_CASE("rates in linear units are multiples of the exact eta*") {
    auto spec = linear_spec();
    spec.width = {32, 64};
    spec.depth = {4};
    const plan::Plan plan(spec);
    CHECK(plan.unit_theory() == "exact moments");
    for (const auto& cell : plan.cells()) {
        const double unit =
            theory::critical_rate(theory::exact_responses(spec.model, cell.width, cell.depth).hidden.back());
        CHECK(cell.etas == std::vector<double>{0.5 * unit, 2.0 * unit});
    }
    CHECK(plan.cells()[0].etas != plan.cells()[1].etas);
}

TEST_CASE("rates that theory cannot set are refused") {
    const auto refused = [](auto change, const char* option) {
        auto spec = linear_spec();
        change(spec);
        try {
            const plan::Plan plan(spec);
            FAIL_CHECK("accepted");
        } catch (const UsageError& error) {
            CHECK(std::string(error.what()).rfind(option, 0) == 0);
        }
    };
    // Nothing moves, or nothing at depth 1 alone.
    refused([](auto& s) { s.model.train = model::Train::last; }, "eta-unit: ");
    refused(
        [](auto& s) {
            s.model.train = model::Train::hidden;
            s.depth = {1, 2};
        },
        "eta-unit: ");
    // Beyond the range of double.
    refused(
        [](auto& s) {
            s.eta = {1.0, 1.7e308};
            s.depth = {1};
        },
        "eta: ");
    refused(
        [](auto& s) {
            s.width = {1};
            s.depth = {2000};
        },
        "depth: ");
}

TEST_CASE("a plan is made again from its absolute rates") {
    for (const auto unit : {sweep::EtaUnit::absolute, sweep::EtaUnit::linear}) {
        auto spec = test::small_spec();
        spec.eta_unit = unit;
        const plan::Plan plan(spec);
        const auto etas = plan.etas();
        REQUIRE(etas.size() == 12);
        for (std::size_t i = 0; i < etas.size(); ++i) CHECK(etas[i] == plan.cells()[i / 3].etas[i % 3]);
        const plan::Plan again(spec, etas, plan.unit_theory());
        CHECK(again.spec() == plan.spec());
        CHECK(again.etas() == etas);
        CHECK(again.unit_theory() == plan.unit_theory());
        for (std::size_t c = 0; c < 4; ++c) {
            CHECK(again.cells()[c].width == plan.cells()[c].width);
            CHECK(again.cells()[c].depth == plan.cells()[c].depth);
            CHECK(again.cells()[c].etas == plan.cells()[c].etas);
        }
    }
}

TEST_CASE("rates of another unit are taken as they are; those of another axis are refused") {
    auto spec = test::small_spec();
    const auto refused = [&](auto change) {
        auto etas = plan::Plan(spec).etas();
        change(etas);
        CHECK_THROWS_AS(plan::Plan(spec, etas), UsageError);
    };
    for (const auto unit : {sweep::EtaUnit::absolute, sweep::EtaUnit::linear}) {
        spec.eta_unit = unit;
        refused([](auto& etas) { etas.pop_back(); });
        refused([](auto& etas) { etas.push_back(1.0); });
        refused([](auto& etas) { etas.clear(); });
        for (const double bad : {std::nan(""), HUGE_VAL, 0.0, -0.1})
            for (const std::size_t at : {0, 4, 11}) refused([&](auto& etas) { etas[at] = bad; });
        refused([](auto& etas) { etas[7] *= 1 + 1e-6; });
        refused([](auto& etas) { std::swap(etas[3], etas[4]); });
    }
    // A cell's unit is its own: any factor, and rounding.
    spec.eta_unit = sweep::EtaUnit::linear;
    auto etas = plan::Plan(spec).etas();
    for (std::size_t i = 3; i < 6; ++i) etas[i] *= 1.25;
    etas[7] *= 1 + 1e-12;
    CHECK(plan::Plan(spec, etas).etas() == etas);
    // Absolute rates are the axis to the last bit.
    spec.eta_unit = sweep::EtaUnit::absolute;
    refused([](auto& all) { all[7] = std::nextafter(all[7], 1.0); });
    refused([](auto& all) {
        for (std::size_t i = 3; i < 6; ++i) all[i] *= 1.25;
    });
}

TEST_CASE("every cell is priced once") {
    plan::Plan plan(test::small_spec());
    for (const auto& cell : plan.cells()) CHECK(cell.cost.seconds == 0);
    int calls = 0;
    plan.price([&](const plan::Cell& cell) {
        ++calls;
        return Cost{1.0 * cell.width * cell.depth, cell.width};
    });
    CHECK(calls == 4);
    CHECK(plan.cell_of(0).cost.seconds == 16);
    CHECK(plan.cell_of(19).cost.seconds == 48);
    CHECK(plan.cell_of(19).cost.bytes == 16);
}

#include "catch.hpp"
#include "engine/change.hpp"

#include <cmath>

using namespace etastar::engine;

TEST_CASE("column scales are powers of two near the size of the change") {
    const double gains[] = {1e-150, -3.0, 1e150};
    ChangeColumns columns(etastar::model::step_rule(etastar::model::optimizer_of<etastar::model::Sgd>), gains,
                          4);
    columns.begin_layer({.gain = 2, .fan_in = 4, .deviation = 0, .rate = 2}, {.h2 = 8, .h1 = 0, .p2 = 1});
    for (std::size_t k = 0; k < columns.count(); ++k) {
        const double inject = std::abs(columns.inject(k));
        INFO(k << ": " << inject);
        CHECK(inject > 0.5);
        CHECK(inject < 8);
        columns.sums(k).change2 = 4 * inject * inject; // delta = 1 in each of four neurons
    }
    columns.end_layer();
    CHECK(columns.last(0) == Catch::Approx(16.0 * 16));
    CHECK(columns.last(1) == Catch::Approx(std::pow(1.6e-149, 2)).margin(0));
    CHECK(columns.last(2) == Catch::Approx(std::pow(3.0 * 16, 2)));
    CHECK(columns.last(3) == Catch::Approx(std::pow(1.6e151, 2)));
    CHECK_FALSE(columns.silent());
}

#include "etastar/engine/change.hpp"

#include "catch.hpp"

#include <cmath>
#include <random>

using namespace etastar::engine;

TEST_CASE("relu_change is the change of a relu, in units of the scale") {
    std::mt19937 generator(1);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 10000; ++i) {
        const double z = normal(generator);
        const double d = normal(generator);
        const double scale = std::ldexp(1.0, i % 20 - 10);
        const double expected = (std::max(z + scale * d, 0.0) - std::max(z, 0.0)) / scale;
        CHECK(relu_change(z, d, 1 / scale) == Catch::Approx(expected).epsilon(1e-9).margin(1e-12 / scale));
    }
}

TEST_CASE("relu_change of an infinitesimal step is the mask") {
    CHECK(relu_change(0.5f, -3.0f, 1e38f) == -3.0f);
    CHECK(relu_change(-0.5f, 3.0f, 1e38f) == 0.0f);
    CHECK(relu_change(1e-20f, 7.0f, 1e38f) == 7.0f);
    // A neuron at exactly zero: inactive, but any positive change passes.
    CHECK(relu_change(0.0f, 2.0f, 1.0f) == 2.0f);
    CHECK(relu_change(0.0f, -2.0f, 1e38f) == 0.0f);
}

TEST_CASE("overflow is not hidden") {
    const float nan = NAN;
    CHECK(std::isnan(relu_change(1.0f, nan, 1.0f)));
    CHECK(std::isnan(relu_change(-1.0f, nan, 1.0f)));
    CHECK(std::isinf(relu_change(1.0f, INFINITY, 1.0f)));
}

TEST_CASE("column scales are powers of two near the size of the change") {
    const double gains[] = {1e-150, -3.0, 1e150};
    ChangeColumns columns(gains, 4);
    columns.begin_layer(2.0, 8.0, 1.0);
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

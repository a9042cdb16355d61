#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>

using namespace etastar;
using model::Parametrization;
using model::Train;
using theory::Layer;

namespace {

double exact(std::uint32_t n, std::uint32_t depth, Train train = Train::all,
             Parametrization rates = Parametrization::mup) {
    return theory::exact_responses(test::model_of(train, rates, 10), n, depth).hidden.back();
}

double infinite(std::uint32_t depth, Train train = Train::all) {
    return theory::infinite_width_responses(test::model_of(train, Parametrization::mup, 10), 1000, depth)
        .hidden.back();
}

} // namespace

TEST_CASE("exact moments have the known values") {
    CHECK(exact(64, 2) == Catch::Approx(3.078125).epsilon(1e-14));
    CHECK(exact(64, 4) == Catch::Approx(24.120).epsilon(1e-5));
    CHECK(exact(64, 16) == Catch::Approx(2460.39).epsilon(1e-5));
    CHECK(exact(256, 8) == Catch::Approx(182.769).epsilon(1e-5));
    CHECK(exact(1024, 16) == Catch::Approx(1416.12).epsilon(1e-5));
}

TEST_CASE("two layers agree with a direct calculation") {
    // s^2 = W D s^1 + q^1 delta^2 with s^1 = n delta^1 (all layers, mup). One layer: G_1 = n^2 ||delta^1||^2
    // / n.
    for (const std::uint32_t n : {1u, 2u, 7u, 50u}) CHECK(exact(n, 1) == Catch::Approx(0.5).epsilon(1e-14));
    // First layer alone at L = 2: M^2 = c1 W D W^T, E G_2 = (n E M_11^2 + n (n-1) E M_12^2) / (2 n^3) with
    // sum over active neurons of chi-squares: E M_11^2 = (c1 s)^2 (E A^2 + 2 E A), E M_12^2 = (c1 s)^2 E A, A
    // ~ Bin(n, 1/2).
    for (const double n : {2.0, 10.0, 40.0}) {
        const double active = n / 2;
        const double active2 = n / 4 + n * n / 4;
        const double expected = 4 * (n * (active2 + 2 * active) + n * (n - 1) * active) / (2 * n * n * n);
        CHECK(exact(static_cast<std::uint32_t>(n), 2, Train::first)
              == Catch::Approx(expected).epsilon(1e-13));
    }
}

TEST_CASE("the infinite-width limit has its closed forms, and finite widths approach it") {
    for (const double l : {1.0, 2.0, 5.0, 32.0}) {
        const auto depth = static_cast<std::uint32_t>(l);
        CHECK(infinite(depth) == Catch::Approx((2 * l * l * l + l) / 6));
        CHECK(infinite(depth, Train::first) == Catch::Approx(l - 0.5));
        CHECK(infinite(depth, Train::hidden)
              == Catch::Approx((2 * std::pow(l - 1, 3) + (l - 1)) / 6).margin(1e-15));
        for (const auto train : {Train::all, Train::first, Train::hidden})
            CHECK(exact(100'000'000, depth, train)
                  == Catch::Approx(infinite(depth, train)).epsilon(1e-4).margin(1e-12));
        const auto limit = theory::infinite_width_responses(
            test::model_of(Train::all, Parametrization::mup, 10), 1000, depth);
        CHECK(std::sqrt(limit.output) == Catch::Approx(l / 2 + 1));
        CHECK(*limit.of(Layer::mean) == Catch::Approx((l + 1) * (l * l + l + 1) / 12));
    }
}

TEST_CASE("exact output response: the read-out alone, and its approach to the limit") {
    // Theta = m_v q^L; after one layer q is a sum of n independent relu(z)^2 with E = 1 and variance 5.
    for (const double n : {2.0, 30.0}) {
        const auto width = static_cast<std::uint32_t>(n);
        CHECK(theory::exact_responses(test::model_of(Train::last, Parametrization::mup, 10), width, 1).output
              == Catch::Approx((n * n + 5 * n) / (n * n)).epsilon(1e-13));
        CHECK(
            theory::exact_responses(test::model_of(Train::last, Parametrization::global, 10), width, 1).output
            == Catch::Approx(n * n + 5 * n).epsilon(1e-13));
    }
    for (const auto train : {Train::all, Train::first, Train::hidden, Train::last})
        for (const auto rates : {Parametrization::mup, Parametrization::global}) {
            const auto e = theory::exact_responses(test::model_of(train, rates, 10), 50'000'000, 6).output;
            const auto i =
                theory::infinite_width_responses(test::model_of(train, rates, 10), 50'000'000, 6).output;
            CHECK(e == Catch::Approx(i).epsilon(1e-5));
        }
}

TEST_CASE("width dependence of the layers' own maximal raw rates") {
    const auto rate = [](std::uint32_t n, Train train, Layer layer) {
        return theory::critical_rate(
            theory::exact_responses(test::model_of(train, Parametrization::global, 10), n, 4)
                .of(layer)
                .value());
    };
    const auto slope = [&](Train train, Layer layer) {
        return std::log(rate(1 << 21, train, layer) / rate(1 << 20, train, layer)) / std::log(2.0);
    };
    CHECK(slope(Train::first, Layer::last) == Catch::Approx(1).margin(1e-4));
    CHECK(slope(Train::hidden, Layer::last) == Catch::Approx(0).margin(1e-4));
    CHECK(slope(Train::last, Layer::output) == Catch::Approx(-1).margin(1e-4));
}

TEST_CASE("local slopes at large width are -3/2 at large depth, and steeper at n = 1000") {
    const auto slope = [](std::uint32_t n, std::uint32_t depth) {
        return std::log(exact(n, depth) / exact(n, 2 * depth)) / std::log(4.0);
    };
    for (const std::uint32_t depth : {32u, 64u, 256u}) CHECK(std::abs(slope(1'000'000, depth) + 1.5) < 5e-4);
    CHECK(slope(1000, 16) == Catch::Approx(-1.53).margin(0.005));
    CHECK(slope(1000, 256) == Catch::Approx(-2.10).margin(0.005));
}

TEST_CASE("degenerate responses give infinite or unknown rates") {
    const auto frozen = theory::exact_responses(test::model_of(Train::last, Parametrization::mup, 10), 64, 3);
    CHECK(*frozen.of(Layer::last) == 0);
    CHECK(std::isinf(theory::critical_rate(*frozen.of(Layer::last))));
    CHECK_FALSE(frozen.of(Layer::max));
    CHECK(theory::critical_rate(4.0, 0.01) == Catch::Approx(0.05));
    // Too heavy for double: infinite, not garbage.
    CHECK(theory::exact_responses(test::model_of(Train::all, Parametrization::mup, 10), 1, 2000).hidden.back()
          == HUGE_VAL);
}

#include "etastar/theory/finite_step.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"

#include <boost/math/constants/constants.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace etastar;
using model::Model;
using model::Parametrization;
using model::Train;
using theory::Layer;

namespace {

constexpr std::uint32_t width = 1000;
constexpr Layer layers[] = {Layer::last, Layer::max, Layer::mean, Layer::output};
constexpr Train trains[] = {Train::all, Train::first, Train::hidden, Train::last};
const theory::InfiniteWidth infinite_width;

Model model_of(Train train = Train::all, Parametrization parametrization = Parametrization::mup) {
    Model model;
    model.input_dim = 64;
    model.train = train;
    model.parametrization = parametrization;
    return model;
}

double linear_rate(const Model& model, std::uint32_t depth, double threshold, Layer layer = Layer::last) {
    return theory::critical_rate(*infinite_width.response(model, width, depth, layer), threshold);
}

std::optional<double> rate(const Model& model, std::uint32_t depth, double threshold,
                           Layer layer = Layer::last) {
    return theory::critical_step_rate(infinite_width, model, width, depth, layer, threshold);
}

// The recursion for H = E h dh, M = E dh^2, P = E g' dh as docs/science.md derives it, cancellations and all, in a hundred
// digits.
using Real = boost::multiprecision::cpp_bin_float_100;

struct Reference {
    std::vector<Real> dz2;
    Real output;

    Real of(Layer layer) const {
        switch (layer) {
        case Layer::last:
            return dz2.back();
        case Layer::max:
            return *std::max_element(dz2.begin(), dz2.end());
        case Layer::mean: {
            Real sum = 0;
            for (const auto& each : dz2) sum += each;
            return sum / dz2.size();
        }
        case Layer::output:
            break;
        }
        return output * output;
    }
};

Reference reference(const Model& model, std::uint32_t depth, double eta) {
    const Real pi = boost::math::constants::pi<Real>();
    const bool mup = model.parametrization == Parametrization::mup;
    const auto multiplier = [&](Train part, double value) {
        return model.train == Train::all || model.train == part ? Real(eta) * value : Real(0);
    };
    const Real first = multiplier(Train::first, 1) * (mup ? Real(1) : Real(model.input_dim) / width);
    const Real hidden = multiplier(Train::hidden, 1);
    const Real readout = multiplier(Train::last, mup ? 1 : width);
    Reference result;
    Real h = 0, m = 0, p = 0;
    for (std::uint32_t l = 1; l <= depth; ++l) {
        const Real c = sqrt(2 * (m - h * h));
        const Real b = 2 * p + (l == 1 ? first : hidden) * (1 + h);
        result.dz2.push_back(2 * h * h + b * b / 2 + c * c);
        const Real a = sqrt(Real(2)) * (1 + h);
        const Real t = sqrt(b * b + c * c) / a;
        const Real u = c / a;
        const Real theta = atan(t);
        const Real phi = atan(u);
        h += (1 + h) * (t - theta) / pi;
        m = a * a / (2 * pi) * ((pi - theta) * (1 + t * t) + t + phi * (1 + u * u) - u) - 2 * (1 + h) + 1;
        p = b * (pi - theta) / (2 * pi);
    }
    result.output = p + readout * (1 + h);
    return result;
}

double relative_error(double value, const Real& expected) {
    return expected == 0 ? std::abs(value) : static_cast<double>(abs(Real(value) / expected - 1));
}

} // namespace

TEST_CASE("a finite step agrees with its recursion in a hundred digits") {
    double worst = 0;
    for (const auto train : trains)
        for (const auto parametrization : {Parametrization::mup, Parametrization::global})
            for (const std::uint32_t depth : {1u, 2u, 3u, 10u, 100u}) {
                const auto model = model_of(train, parametrization);
                for (double scaled = 1e-12; scaled < 1e9; scaled *= 1000) {
                    const double eta = scaled / std::pow(depth, 2.5);
                    const auto expected = reference(model, depth, eta);
                    const auto step = theory::finite_step(model, width, depth, eta);
                    for (const auto layer : layers) {
                        const double value = step.changes().of(layer);
                        if (expected.of(layer) > std::numeric_limits<double>::max()) {
                            CHECK(value == std::numeric_limits<double>::infinity());
                            continue;
                        }
                        worst = std::max(worst, relative_error(value, expected.of(layer)));
                    }
                }
            }
    CHECK(worst < 1e-12);
}

TEST_CASE("every layer of the walk is the last one of a shallower network") {
    const auto model = model_of();
    theory::FiniteStep walk(model, width, 0.3);
    const auto expected = reference(model, 12, 0.3);
    for (std::uint32_t l = 1; l <= 12; ++l) {
        CHECK(walk.layer() == l);
        CHECK(relative_error(walk.dz2(), expected.dz2[l - 1]) < 1e-13);
        for (const auto layer : layers)
            CHECK(walk.changes().of(layer) == theory::finite_step(model, width, l, 0.3).changes().of(layer));
        walk.advance();
    }
}

TEST_CASE("a small step is the linear response") {
    for (const auto train : trains)
        for (const auto parametrization : {Parametrization::mup, Parametrization::global})
            for (const std::uint32_t depth : {1u, 2u, 30u, 100'000u}) {
                const auto model = model_of(train, parametrization);
                for (const double scaled : {1e-100, 1e-12, 1e-7})
                    for (const auto layer : layers) {
                        const double eta = scaled / std::pow(depth, 2.5);
                        const double expected =
                            eta * eta * *infinite_width.response(model, width, depth, layer);
                        CHECK(*infinite_width.change2(model, width, depth, layer, eta)
                              == Catch::Approx(expected).epsilon(1e-6).margin(0));
                    }
            }
}

TEST_CASE("what leaves the range of double is infinite") {
    for (const auto train : trains)
        for (const auto parametrization : {Parametrization::mup, Parametrization::global})
            for (double eta = 1e-3; eta < 1e308; eta *= 1e10) {
                const auto model = model_of(train, parametrization);
                theory::FiniteStep walk(model, width, eta);
                double before = 0;
                bool ordered = true;
                for (; walk.layer() <= 3000; walk.advance())
                    for (const auto layer : layers) {
                        const double value = walk.changes().of(layer);
                        ordered = ordered && value >= 0;
                        if (layer != Layer::max) continue;
                        ordered = ordered && value >= before;
                        before = value;
                    }
                INFO("train " << name_of(train) << ", eta " << eta);
                CHECK(ordered); // no NaN, and finite no more once infinite
                if (eta > 1e-2 && train != Train::last && train != Train::first) CHECK(std::isinf(before));
            }
    CHECK(std::isinf(theory::finite_step(model_of(Train::first), width, 2, 1e300).dz2()));
    CHECK(std::isinf(
        theory::finite_step(model_of(), width, 5, std::numeric_limits<double>::max()).changes().mean));
}

TEST_CASE("the rate of a real step has the known ratio to the linear one") {
    struct Row {
        double threshold;
        double ratio[6];
    };
    for (const auto& row : {Row{1, {1.591, 2.490, 4.357, 7.269, 11.79, 18.88}},
                            Row{0.1, {1.152, 1.341, 1.905, 4.157, 9.551, 18.90}},
                            Row{0.01, {1.043, 1.089, 1.189, 1.445, 2.345, 6.434}}})
        for (std::uint32_t i = 0; i < 6; ++i) {
            const std::uint32_t depth = 8u << i;
            const double ratio =
                *rate(model_of(), depth, row.threshold) / linear_rate(model_of(), depth, row.threshold);
            CHECK(ratio == Catch::Approx(row.ratio[i]).epsilon(5e-4));
        }
}

TEST_CASE("a real step has its three regimes") {
    const auto model = model_of();
    constexpr double pi = 3.14159265358979323846;
    SECTION("linear") {
        const double eta = 1e-3 / std::pow(1e4, 2.5);
        CHECK(theory::finite_step(model, width, 10'000, eta).dz2()
              == Catch::Approx(eta * eta * 1e12 / 3).epsilon(1e-3));
    }
    SECTION("plateau") {
        const double plateau = 2 * std::pow(3 * pi * pi * pi / 4, 0.4) * std::pow(1e-7, 0.8);
        CHECK(theory::finite_step(model, width, 30'000, 1e-7).dz2() == Catch::Approx(plateau).epsilon(5e-4));
    }
    SECTION("growth") {
        const double kappa = std::pow(3 * pi * pi * pi / 4, 0.6) / (3 * pi);
        const double eta = 1e-5;
        const auto log_d = [&](std::uint32_t depth) {
            return std::log1p(std::sqrt(theory::finite_step(model, width, depth, eta).dz2() / 2));
        };
        CHECK((log_d(6'000'000) - log_d(4'000'000)) / 2e6
              == Catch::Approx(kappa * std::pow(eta, 1.2)).epsilon(1e-2));
    }
    SECTION("the law of fixed thresholds") {
        constexpr std::uint32_t depth = 1u << 18;
        const double here = *rate(model, depth, 1);
        CHECK(here == Catch::Approx(2.446e-5).epsilon(2e-4));
        CHECK(std::log2(here / *rate(model, depth / 2, 1)) == Catch::Approx(-0.8348).margin(1e-4));
        for (const double threshold : {0.01, 1.0, 100.0}) {
            const double law = std::sqrt(4 / (3 * pi * pi * pi))
                               * std::pow(3 * pi * std::log1p(std::sqrt(threshold / 2)) / depth, 5.0 / 6);
            CHECK(*rate(model, depth, threshold) == Catch::Approx(law).epsilon(0.015));
        }
    }
}

TEST_CASE("the rate of a real step is the first at which the threshold is reached") {
    for (const auto train : {Train::all, Train::first, Train::hidden})
        for (const auto layer : layers)
            for (const std::uint32_t depth : {1u, 2u, 7u, 40u, 20'000u})
                for (const double threshold : {1e-12, 1e-3, 1.0, 1e6}) {
                    const auto model = model_of(train);
                    const auto found = rate(model, depth, threshold, layer);
                    if (train == Train::hidden && depth == 1) {
                        CHECK(!found);
                        continue;
                    }
                    INFO("train " << name_of(train) << ", layer " << name_of(layer) << ", L = " << depth
                                  << ", c = " << threshold);
                    REQUIRE(found);
                    const auto change2 = [&](double eta) {
                        return theory::finite_step(model, width, depth, eta).changes().of(layer);
                    };
                    CHECK(change2(*found) == Catch::Approx(threshold).epsilon(1e-9));
                    if (depth > 1000) continue;
                    double largest_below = 0;
                    for (double eta = *found / 1e4; eta < *found * (1 - 1e-9); eta *= 1.003)
                        largest_below = std::max(largest_below, change2(eta));
                    CHECK(largest_below < threshold);
                }
}

TEST_CASE("a summit is not stepped over") {
    // With the first layer alone the output's change rises, falls and rises again.
    const auto model = model_of(Train::first);
    constexpr std::uint32_t depth = 100;
    const auto change2 = [&](double eta) {
        return theory::finite_step(model, width, depth, eta).changes().of(Layer::output);
    };
    double summit = 1e-4;
    while (change2(summit * 1.0005) > change2(summit)) summit *= 1.0005;
    REQUIRE(change2(2 * summit) < change2(summit));
    // Just below the summit's height, and just above.
    for (const double share : {0.5, 0.99, 0.99999}) {
        const auto found = rate(model, depth, change2(summit) * share, Layer::output);
        REQUIRE(found);
        CHECK(*found < summit * 1.001);
        CHECK(change2(*found) == Catch::Approx(change2(summit) * share).epsilon(1e-9));
    }
    CHECK(*rate(model, depth, change2(summit) * 1.0001, Layer::output) > 2 * summit);
}

TEST_CASE("where nothing moves there is no rate") {
    for (const std::uint32_t depth : {1u, 5u})
        for (const auto layer : {Layer::last, Layer::max, Layer::mean})
            CHECK(!rate(model_of(Train::last), depth, 1, layer));
    CHECK(*rate(model_of(Train::last), 5, 0.25, Layer::output) == Catch::Approx(0.5).epsilon(1e-12));
    CHECK(theory::finite_step(model_of(Train::last), width, 5, 0.5).dz2() == 0);
    // The exact moments know nothing of a whole step.
    CHECK(!theory::critical_step_rate(theory::ExactMoments{}, model_of(), width, 5, Layer::last));
}

#include "etastar/parallel/pace.hpp"

#include "catch.hpp"

#include <random>

using Catch::Approx;
using etastar::parallel::Pace;

TEST_CASE("before anything is known networks may take twice as long as expected") {
    CHECK(Pace().slack() == Approx(2.0));
}

TEST_CASE("the slack follows a cost model that is wrong") {
    for (const double factor : {0.5, 1.0, 4.0}) {
        Pace pace;
        for (int i = 0; i < 200; ++i) pace.observe(1.0, factor);
        CHECK(pace.slack() == Approx(factor).epsilon(0.02));
    }
}

TEST_CASE("the slack covers the spread") {
    std::mt19937 generator(1);
    std::uniform_real_distribution<double> ratio(0.5, 1.5);
    Pace pace;
    for (int i = 0; i < 500; ++i) pace.observe(2.0, 2.0 * ratio(generator));
    CHECK(pace.slack() > 1.5);
    CHECK(pace.slack() < 2.2);
}

TEST_CASE("an interruption of tiny networks is no reason to give up long ones") {
    Pace pace;
    for (int i = 0; i < 50; ++i) pace.observe(1.0, 1.0);
    for (int i = 0; i < 20; ++i) pace.observe(20e-6, 20e-3);
    CHECK(pace.slack() < 3);
    pace.observe(0, 1);
    pace.observe(1, -1);
    CHECK(pace.slack() < 3);
}

TEST_CASE("one rank that is as good as dead does not make the others look slow") {
    Pace pace;
    for (int i = 0; i < 500; ++i) pace.observe(1.0, i % 50 == 0 ? 200.0 : 1.0);
    CHECK(pace.slack() < 3);
}

#include "etastar/model/model.hpp"
#include "etastar/model/random_network.hpp"

#include "catch.hpp"

#include <cmath>
#include <vector>

using namespace etastar;

namespace {

model::Model model_with_inputs(std::uint32_t input_dim) { return {.input_dim = input_dim}; }

} // namespace

TEST_CASE("the input is of signs, both of which occur, and depends on the network's name") {
    std::vector<float> x(5000);
    std::vector<float> other(5000);
    model::RandomNetwork({16, 4, 1}, model_with_inputs(5000)).input(x);
    model::RandomNetwork({16, 4, 2}, model_with_inputs(5000)).input(other);
    double sum = 0;
    int differing = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        REQUIRE(std::abs(x[i]) == 1.0f);
        sum += x[i];
        differing += x[i] != other[i];
    }
    // Five standard deviations of 5000 fair coins: 354 and 177.
    CHECK(std::abs(sum) < 354);
    CHECK(std::abs(differing - 2500) < 177);
}

TEST_CASE("targets are fair signs") {
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        const double y = model::RandomNetwork({16, 4, seed}, model_with_inputs(8)).target();
        REQUIRE(std::abs(y) == 1.0);
        sum += y;
    }
    CHECK(std::abs(sum) < 5 * std::sqrt(4000.0));
}

TEST_CASE("weight rows are the same in any blocks, with the variance of their layer") {
    const model::RandomNetwork network({48, 3, 11}, model_with_inputs(20));
    for (const std::uint32_t layer : {1u, 2u, 3u}) {
        const auto cols = network.columns(layer);
        CHECK(cols == (layer == 1 ? 20u : 48u));
        std::vector<float> whole(48 * cols);
        network.weight_rows(layer, 0, 48, whole.data());
        std::vector<float> rows(7 * cols);
        network.weight_rows(layer, 13, 7, rows.data());
        CHECK(std::equal(rows.begin(), rows.end(), whole.begin() + 13 * cols));

        double squares = 0;
        for (const float w : whole) squares += double(w) * w;
        const double samples = static_cast<double>(whole.size());
        const double z = (squares / samples * cols / 2 - 1) / std::sqrt(2 / samples);
        CHECK(std::abs(z) < 5);
    }
    std::vector<float> second(48 * 48);
    std::vector<float> third(48 * 48);
    network.weight_rows(2, 0, 48, second.data());
    network.weight_rows(3, 0, 48, third.data());
    CHECK(second != third);
}

// Networks of the implicit engine against the law of a finite step at infinite width. Seeds are fixed, and the cells use
// different ones. 90 scores of 100 networks each: Student's |t| > 5.5 has probability 3e-7 a score, 3e-5 in all. To first
// order in eta the relative correction of finite width, 2 L / n, is below 4e-4 here, a tenth of a standard error.
#include "etastar/engine/engine.hpp"
#include "etastar/theory/finite_step.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "score.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

using namespace etastar;
using model::Train;
using test::Score;
using theory::Layer;

namespace {

constexpr std::uint32_t width = 1u << 17;
constexpr int networks = 100;
constexpr double largest_score = 5.5;
constexpr Layer layers[] = {Layer::last, Layer::mean, Layer::output};

model::Model model_of(Train train) {
    model::Model model;
    model.input_dim = 64;
    model.train = train;
    return model;
}

struct Cell {
    Train train;
    std::uint32_t depth;
    std::uint64_t first_seed;
    std::vector<double> etas;
    std::vector<Score> scores; // of every rate, of each of `layers`
};

// Multiples of eta*_lin at threshold 1.
constexpr double multiples[] = {0.01, 0.5, 1, 3, 8};

Cell measure(Train train, std::uint32_t depth, std::uint64_t first_seed) {
    Cell cell{train, depth, first_seed, {}, {}};
    const theory::InfiniteWidth theory;
    const double unit = theory::critical_rate(*theory.response(model_of(train), width, depth, Layer::last));
    for (const double multiple : multiples) cell.etas.push_back(multiple * unit);
    cell.scores.resize(cell.etas.size() * std::size(layers));
    const auto engine = engine::make_engine({.model = model_of(train)});
    for (int i = 0; i < networks; ++i) {
        const auto outcome =
            engine->run({width, depth, first_seed + static_cast<std::uint64_t>(i)}, cell.etas);
        auto score = cell.scores.begin();
        for (const auto& step : outcome.steps) {
            (score++)->add(step.dz2_last);
            (score++)->add(step.dz2_mean);
            (score++)->add(std::pow(step.output_after - outcome.output, 2));
        }
    }
    return cell;
}

// The largest score of a cell against `expected`(rate, layer).
template <class Expected>
double largest(const Cell& cell, Expected expected) {
    double most = 0;
    auto score = cell.scores.begin();
    for (const double eta : cell.etas)
        for (const auto layer : layers) {
            const double z = (score++)->z(expected(eta, layer));
            most = std::max(most, std::abs(z));
        }
    return most;
}

} // namespace

TEST_CASE("wide networks take the finite step of infinite width") {
    std::uint64_t first_seed = 40'000'000;
    for (const auto train : {Train::all, Train::first, Train::hidden})
        for (const std::uint32_t depth : {6u, 24u}) {
            const auto cell = measure(train, depth, first_seed += networks);
            INFO("train " << name_of(train) << ", L = " << depth);
            const auto theory = [&](double eta, Layer layer) {
                return theory::finite_step(model_of(train), width, depth, eta).changes().of(layer);
            };
            CHECK(largest(cell, theory) < largest_score);

            const auto off = [&](double eta, Layer layer) { return 1.05 * theory(eta, layer); };
            CHECK(largest(cell, off) > largest_score);
            const auto linear = [&](double eta, Layer layer) {
                return eta * eta * *theory::InfiniteWidth().response(model_of(train), width, depth, layer);
            };
            CHECK(largest(cell, linear) > largest_score);
            const auto shallower = [&](double eta, Layer layer) {
                return theory::finite_step(model_of(train), width, depth - 1, eta).changes().of(layer);
            };
            CHECK(largest(cell, shallower) > largest_score);
        }
}

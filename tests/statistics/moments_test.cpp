// Monte Carlo over networks against the exact moments. Seeds are fixed and cells use different ones, so that
// their scores are independent. For a correct engine the chance that a fresh choice of seeds fails any check
// here is below 1e-4: |z| < 5 in some 120 scores (7e-5), and a chi-squared bound at 1e-5.
#include "etastar/engine/engine.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "score.hpp"
#include "support.hpp"

#include <boost/math/distributions/chi_squared.hpp>

#include <cmath>
#include <vector>

using namespace etastar;
using model::Parametrization;
using model::Train;
using test::Score;

namespace {

struct Cell {
    std::uint32_t width;
    std::uint32_t depth;
    std::uint64_t networks;
};

struct Sample {
    std::vector<Score> hidden;
    Score mean;
    Score output;
};

model::Model model_of(Train train, Parametrization rates) { return test::model_of(train, rates, 12); }

Sample sample(const Cell& cell, const model::Model& model, std::uint64_t first_seed) {
    const auto engine = engine::make_engine({.model = model, .kind = engine::EngineKind::dense});
    const double eta[] = {0.1};
    Sample result;
    result.hidden.resize(cell.depth);
    for (std::uint64_t i = 0; i < cell.networks; ++i) {
        const auto outcome = engine->run({cell.width, cell.depth, first_seed + i}, eta);
        double mean = 0;
        for (std::size_t l = 0; l < cell.depth; ++l) {
            result.hidden[l].add(outcome.response[l]);
            mean += outcome.response[l] / cell.depth;
        }
        result.mean.add(mean);
        result.output.add(outcome.response_output);
    }
    return result;
}

} // namespace

TEST_CASE("mean responses agree with the exact moments for every group of trained layers") {
    std::uint64_t first_seed = 1'000'000;
    double chi_squared = 0;
    double degrees = 0;
    for (const auto& cell : {Cell{24, 3, 12000}, Cell{64, 6, 4000}, Cell{200, 4, 1200}})
        for (const auto train : test::trains)
            for (const auto rates : test::parametrizations) {
                INFO("n = " << cell.width << ", L = " << cell.depth << ", train " << int(train) << ", rates "
                            << int(rates));
                const auto model = model_of(train, rates);
                const auto measured = sample(cell, model, first_seed += cell.networks);
                const auto exact = theory::exact_responses(model_of(train, rates), cell.width, cell.depth);
                CHECK(std::abs(measured.output.z(exact.output)) < 5);
                if (train == Train::last) {
                    for (const auto& score : measured.hidden) CHECK(score.sum == 0);
                    continue;
                }
                for (std::size_t l = 0; l < cell.depth; ++l) {
                    if (exact.hidden[l] == 0) {
                        CHECK(measured.hidden[l].sum == 0);
                        continue;
                    }
                    INFO("layer " << l + 1);
                    CHECK(std::abs(measured.hidden[l].z(exact.hidden[l])) < 5);
                }
                CHECK(std::abs(measured.mean.z(exact.of(theory::Layer::mean))) < 5);
                chi_squared += std::pow(measured.hidden.back().z(exact.hidden.back()), 2);
                ++degrees;
            }
    // Over cells the scores look standard normal: neither too large nor too small.
    const boost::math::chi_squared distribution(degrees);
    CHECK(cdf(distribution, chi_squared) > 1e-5);
    CHECK(cdf(complement(distribution, chi_squared)) > 1e-5);
}

TEST_CASE("the exact moments hold at widths where whole layers die") {
    // Heavy tails: keep L small at n = 2. At n = 2, L = 3 more than half of all networks are dead.
    std::uint64_t first_seed = 5'000'000;
    for (const auto& cell :
         {Cell{2, 2, 200000}, Cell{2, 3, 200000}, Cell{3, 3, 100000}, Cell{4, 4, 100000}}) {
        const auto model = model_of(Train::all, Parametrization::mup);
        const auto measured = sample(cell, model, first_seed += cell.networks);
        const auto exact = theory::exact_responses(model, cell.width, cell.depth);
        INFO("n = " << cell.width << ", L = " << cell.depth);
        CHECK(std::abs(measured.hidden.back().z(exact.hidden.back())) < 5);
        CHECK(std::abs(measured.output.z(exact.output)) < 5);
    }
}

TEST_CASE("planted errors are caught by the same scores") {
    const Cell cell{64, 6, 4000};
    const auto model = model_of(Train::all, Parametrization::mup);
    const auto measured = sample(cell, model, 9'000'000);
    const auto exact = theory::exact_responses(model, cell.width, cell.depth);
    const auto score = [&](double factor) {
        return std::abs(measured.hidden.back().z(exact.hidden.back(), factor));
    };
    CHECK(score(1) < 5);
    // Hidden weights of variance 2 % too large: every layer enters forward and backward, G grows by 1.02^(2
    // (L - 1)).
    CHECK(score(std::pow(1.02, 2 * (cell.depth - 1))) > 5);
    // Read-out variance 1/n^2 wrong by 20 %.
    CHECK(score(1.2) > 5);
    // The first layer's rate without its factor n/n0, and the hidden layers' contribution dropped: other
    // theories.
    const auto other = [&](Train train, Parametrization rates) {
        return std::abs(measured.hidden.back().z(
            theory::exact_responses(model_of(train, rates), cell.width, cell.depth).hidden.back()));
    };
    CHECK(other(Train::all, Parametrization::global) > 5);
    CHECK(other(Train::first, Parametrization::mup) > 5);
    CHECK(other(Train::hidden, Parametrization::mup) > 5);
    // The infinite-width value instead of the finite one.
    const auto infinite = theory::infinite_width_responses(model, cell.width, cell.depth);
    CHECK(std::abs(measured.hidden.back().z(infinite.hidden.back())) > 5);
}

// The implicit engine has the law of the dense one. Three steps: its fused sums are those of the conditional
// law in plain vectors (unit tests, to rounding); the conditional law is that of a Gaussian matrix (here,
// with each term's error planted and caught); and the tables of both engines, end to end, cannot be told
// apart (here).
//
// Seeds are fixed. For a correct program the chance that a fresh choice of seeds fails any check is below
// 1e-4: some 30 covariance scores at 5.5 standard deviations (1e-6) and some 700 two-sample tests at 1e-7
// each, over every model some 21000 more at 3.3 (2e-9 each), and some 500 means at 5.5 standard deviations.
#include "etastar/engine/engine.hpp"
#include "etastar/theory/moments.hpp"

#include "catch.hpp"
#include "conditional.hpp"
#include "models.hpp"
#include "score.hpp"
#include "support.hpp"
#include "two_sample.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

using namespace etastar;
using model::Parametrization;
using model::Train;
using test::dot;
using test::Score;
using test::Terms;
using test::Vector;

namespace {

// Largest |z| over second moments of the joint answers (z, u, Ww) of a matrix with independent N(0, s)
// entries, for fixed h, w and a delta that depends on z, against their exact values.
double largest_score(const Terms& terms, std::size_t samples) {
    constexpr std::size_t n = 3;
    constexpr double s = 0.7;
    const Vector h{0.6, 0.0, 1.1};
    const Vector w{-0.4, 0.9, 0.5};
    const Vector v{0.8, -0.5, 0.3};
    std::mt19937_64 generator(1);
    std::normal_distribution<double> normal;
    const auto fresh = [&] {
        Vector g(n);
        for (double& value : g) value = normal(generator);
        return g;
    };
    const double hh = dot(h, h), ww = dot(w, w), hw = dot(h, w);
    std::vector<Score> moments(16);
    for (std::size_t i = 0; i < samples; ++i) {
        test::ConditionalMatrix matrix(s, terms);
        const Vector z = matrix.forward(h, fresh());
        const Vector delta = test::masked(v, z); // as in a network: a function of z
        const Vector u = matrix.backward(delta, fresh());
        const Vector y = matrix.product(w, fresh());
        const double dd = dot(delta, delta);
        std::size_t k = 0;
        // W h and W w are jointly Gaussian with independent rows.
        moments[k++].add(dot(z, z) / n - s * hh);
        moments[k++].add(dot(y, y) / n - s * ww);
        moments[k++].add(dot(z, y) / n - s * hw);
        moments[k++].add(z[0] * z[0] - s * hh);
        moments[k++].add(y[2] * y[2] - s * ww);
        moments[k++].add(y[0] * y[1]);
        // Given z, W = z h^T / ||h||^2 + (independent Gaussian) (I - h h^T / ||h||^2).
        moments[k++].add(dot(h, u) - dot(z, delta));
        moments[k++].add(dot(u, u) - std::pow(dot(z, delta), 2) / hh - s * dd * (n - 1));
        moments[k++].add(u[1] * u[1] - s * dd); // h_2 = 0: nothing known about that column
        moments[k++].add(dot(u, w) - dot(z, delta) * hw / hh);
        moments[k++].add(std::pow(dot(u, w), 2) - std::pow(dot(z, delta) * hw / hh, 2)
                         - s * dd * (ww - hw * hw / hh));
        // Given z and u: delta . W w = u . w, always.
        moments[k++].add(dot(delta, y) - dot(u, w));
        moments[k++].add(std::pow(dot(delta, y), 2) - std::pow(dot(z, delta) * hw / hh, 2)
                         - s * dd * (ww - hw * hw / hh));
        const Vector along = test::combine(test::over(dot(delta, y), dd), delta, 0, delta);
        const Vector across = test::combine(1, y, -1, along);
        const Vector z_across = test::combine(1, z, -test::over(dot(delta, z), dd), delta);
        // Across delta only the fresh part and z remain.
        const double rank = n - (dd > 0 ? 1.0 : 0.0);
        moments[k++].add(dot(across, across) - dot(z_across, z_across) * hw * hw / (hh * hh)
                         - s * rank * (ww - hw * hw / hh));
        moments[k++].add(dot(across, z_across) - dot(z_across, z_across) * hw / hh);
        moments[k++].add(dot(y, y) - dot(z, z) * hw * hw / (hh * hh) - s * n * (ww - hw * hw / hh));
    }
    double worst = 0;
    for (const auto& m : moments) {
        // Identities hold sample by sample: their spread is rounding, and any other spread is an error.
        const double spread = m.root_mean_square();
        if (spread < 1e-12) continue;
        worst = std::max(worst, std::abs(m.z(0)));
    }
    // The two identities.
    for (const std::size_t identity : {6u, 11u})
        if (moments[identity].root_mean_square() > 1e-12) worst = HUGE_VAL;
    return worst;
}

using Column = double trial::FirstStepRow::*;
const std::pair<const char*, Column> columns[] = {
    {"output", &trial::FirstStepRow::output},
    {"output_after", &trial::FirstStepRow::output_after},
    {"loss", &trial::FirstStepRow::loss},
    {"loss_after", &trial::FirstStepRow::loss_after},
    {"dz2_last", &trial::FirstStepRow::dz2_last},
    {"dz2_max", &trial::FirstStepRow::dz2_max},
    {"dz2_mean", &trial::FirstStepRow::dz2_mean},
    {"response_last", &trial::FirstStepRow::response_last},
    {"response_max", &trial::FirstStepRow::response_max},
    {"response_mean", &trial::FirstStepRow::response_mean},
    {"response_output", &trial::FirstStepRow::response_output},
    {"z2_last", &trial::FirstStepRow::z2_last},
    {"z2_max", &trial::FirstStepRow::z2_max},
    {"z2_mean", &trial::FirstStepRow::z2_mean},
};

// Samples of every column at every rate: [rate][column][network].
std::vector<std::vector<Vector>> table(const sweep::Spec& spec, engine::EngineKind kind, std::uint32_t width,
                                       std::uint32_t depth, std::uint64_t networks) {
    const auto engine = engine::make_engine({.model = spec.model, .kind = kind, .precision = spec.precision});
    std::vector<std::vector<Vector>> samples(spec.eta.size(), std::vector<Vector>(std::size(columns)));
    for (std::uint64_t seed = 0; seed < networks; ++seed) {
        const auto rows = trial::first_step_rows({width, depth, seed}, spec.eta,
                                                 engine->run({width, depth, seed}, spec.eta));
        for (std::size_t k = 0; k < rows.size(); ++k)
            for (std::size_t c = 0; c < std::size(columns); ++c) {
                // A network that the step kills has an output of 0, or of what rounding leaves: one value.
                const double x = rows[k].*columns[c].second;
                samples[k][c].push_back(c == 1 || c == 3 ? std::round(x * 1e5) / 1e5 : x);
            }
    }
    return samples;
}

} // namespace

TEST_CASE("the conditional products are those of a Gaussian matrix, and every planted error is caught") {
    constexpr std::size_t samples = 400'000;
    constexpr double bound = 5.5;
    CHECK(largest_score({}, samples) < bound);
    const std::pair<const char*, double Terms::*> terms[] = {
        {"forward, fresh", &Terms::forward_fresh},     {"backward, along h", &Terms::backward_along},
        {"backward, fresh", &Terms::backward_fresh},   {"backward, projection", &Terms::backward_project},
        {"product, along z", &Terms::product_forward}, {"product, along delta", &Terms::product_backward},
        {"product, fresh", &Terms::product_fresh},     {"product, projection", &Terms::product_project},
    };
    for (const auto& [name, term] : terms)
        for (const double factor : {0.0, std::sqrt(1.02)}) {
            Terms planted;
            planted.*term = factor;
            INFO(name << (factor == 0 ? " dropped" : " with 2 % too much variance"));
            CHECK(largest_score(planted, samples) > bound);
        }
}

namespace {

struct Shape {
    std::uint32_t width, depth;
    std::uint64_t networks;
};

void check_that_nothing_tells_apart(const sweep::Spec& spec, const Shape& shape, double bound) {
    const auto dense = table(spec, engine::EngineKind::dense, shape.width, shape.depth, shape.networks);
    const auto implicit = table(spec, engine::EngineKind::implicit, shape.width, shape.depth, shape.networks);
    for (std::size_t k = 0; k < spec.eta.size(); ++k)
        for (std::size_t c = 0; c < std::size(columns); ++c) {
            INFO("n = " << shape.width << ", L = " << shape.depth << ", " << test::describe(spec.model)
                        << ", eta " << spec.eta[k] << ", " << columns[c].first);
            CHECK(test::two_sample(dense[k][c], implicit[k][c]) < bound);
        }
}

} // namespace

TEST_CASE("no column of the table tells the engines apart") {
    for (const auto& shape : {Shape{3, 3, 4000}, Shape{24, 4, 3000}, Shape{96, 8, 2000}})
        for (const auto train : test::trains)
            for (const auto rates : test::parametrizations) {
                sweep::Spec spec;
                spec.model = test::model_of(train, rates, 12);
                const double star = std::sqrt(3.0) * std::pow(shape.depth, -1.5);
                spec.eta = {0.1 * star, star, 3 * star};
                check_that_nothing_tells_apart(spec, shape, 2.9);
            }
}

TEST_CASE("no column of the table tells the engines apart, whatever the model") {
    // 42 models, 2 shapes, 3 rates, 14 columns.
    for (const auto& model : test::all_models(12))
        for (const auto& shape : {Shape{2, 3, 2000}, Shape{17, 5, 1500}}) {
            sweep::Spec spec;
            spec.model = model;
            spec.eta = {0.02, 0.3, 2};
            check_that_nothing_tells_apart(spec, shape, 3.3);
        }
}

TEST_CASE("the table of another model is told apart") {
    // Each error is planted in the implicit engine's model alone.
    sweep::Spec spec;
    spec.model = test::all_models(12)[22]; // tanh, residual, sign
    spec.eta = {0.3};
    const auto dense = table(spec, engine::EngineKind::dense, 17, 5, 4000);
    const auto distance = [&](auto change) {
        auto other = spec;
        change(other.model);
        const auto implicit = table(other, engine::EngineKind::implicit, 17, 5, 4000);
        double worst = 0;
        for (std::size_t c = 0; c < std::size(columns); ++c)
            worst = std::max(worst, test::two_sample(dense[0][c], implicit[0][c]));
        return worst;
    };
    CHECK(distance([](auto&) {}) < 3.3);
    CHECK(distance([](auto& model) { model.biases = !model.biases; }) > 3.3);
    CHECK(distance([](auto& model) { model.branch_power += 0.05; }) > 3.3);
    CHECK(distance([](auto& model) { model.weight_variance = 1.1; }) > 3.3);
    CHECK(distance([](auto& model) { model.activation = model::activation_of<model::Erf>; }) > 3.3);
    CHECK(distance([](auto& model) { model.optimizer = model::optimizer_of<model::Normalized>; }) > 3.3);
}

TEST_CASE(
    "wide networks of every model follow theory at infinite width, to linear order and by a whole step") {
    constexpr std::uint32_t width = 16384;
    constexpr std::uint32_t depth = 5;
    constexpr std::uint64_t networks = 60;
    // What finite width changes, relatively: at most some 60 / n here, up to the largest step.
    constexpr double finite_width = 60.0 / width;
    std::uint64_t seed = 1'000'000;
    // integration: of theory, a relative standard error.
    const auto excess = [&](const Score& score, double expected, double integration = 0) {
        const double allowed = (finite_width + 5 * integration) * expected;
        return std::max(0.0, std::abs(score.mean() - expected) - allowed) / score.standard_error();
    };
    for (const auto& model : test::all_models(12)) {
        INFO(test::describe(model));
        const auto* theory = theory::find(model, theory::Regime::infinite_width);
        REQUIRE(theory != nullptr);
        const double response = theory->response(model, width, depth, theory::Layer::last).value();
        const double unit = theory::critical_rate(response);
        const double etas[] = {0.3 * unit, unit};
        const auto engine = engine::make_engine({.model = model, .kind = engine::EngineKind::implicit});
        Score linear, output, size;
        std::vector<Score> steps(std::size(etas));
        for (std::uint64_t i = 0; i < networks; ++i) {
            const auto outcome = engine->run({width, depth, seed++}, etas);
            linear.add(outcome.response.back());
            output.add(outcome.response_output);
            size.add(outcome.size.back());
            for (std::size_t k = 0; k < std::size(etas); ++k) steps[k].add(outcome.steps[k].dz2_last);
        }
        const double error = theory->response_error(model, width, depth);
        CHECK(excess(linear, response, error) < 5.5);
        CHECK(excess(output, theory->response(model, width, depth, theory::Layer::output).value(), error)
              < 5.5);
        CHECK(excess(size, theory->size(model, width, depth, theory::Layer::last).value()) < 5.5);
        // Planted: a response that is 15 % off.
        CHECK(excess(linear, 1.15 * response) > 5.5);
        for (std::size_t k = 0; k < std::size(etas); ++k) {
            INFO("eta " << etas[k]);
            const auto changes = theory->changes(model, width, depth, etas[k]).value();
            CHECK(excess(steps[k], changes.last, changes.error) < 5.5);
        }
    }
}

TEST_CASE("a wrong engine would be told apart by its table") {
    // The same comparison with the other group's engine, or a rate wrong by 15 %.
    sweep::Spec spec;
    spec.model.input_dim = 12;
    spec.eta = {0.1};
    const auto dense = table(spec, engine::EngineKind::dense, 24, 4, 3000);
    auto other = spec;
    other.eta = {0.115};
    CHECK(test::two_sample(dense[0][4], table(other, engine::EngineKind::implicit, 24, 4, 3000)[0][4]) > 2.9);
    other = spec;
    other.model.train = Train::hidden;
    CHECK(test::two_sample(dense[0][7], table(other, engine::EngineKind::implicit, 24, 4, 3000)[0][7]) > 2.9);
}

TEST_CASE("the implicit engine has the exact moments, also at widths no dense engine reaches") {
    struct Cell {
        std::uint32_t width, depth;
        std::uint64_t networks;
    };
    std::uint64_t seed = 0;
    for (const auto& cell : {Cell{2, 2, 200000}, Cell{24, 3, 20000}, Cell{64, 6, 20000}, Cell{4096, 16, 400},
                             Cell{65536, 4, 60}})
        for (const auto train : test::trains)
            for (const auto rates : test::parametrizations) {
                const auto model = test::model_of(train, rates, 12);
                const double eta[] = {0.1};
                const auto engine =
                    engine::make_engine({.model = model, .kind = engine::EngineKind::implicit});
                const auto exact = theory::exact_responses(model, cell.width, cell.depth);
                std::vector<Score> hidden(cell.depth);
                Score output;
                for (std::uint64_t i = 0; i < cell.networks; ++i) {
                    const auto outcome = engine->run({cell.width, cell.depth, seed++}, eta);
                    for (std::size_t l = 0; l < cell.depth; ++l) hidden[l].add(outcome.response[l]);
                    output.add(outcome.response_output);
                }
                INFO("n = " << cell.width << ", L = " << cell.depth << ", train " << int(train) << ", rates "
                            << int(rates));
                CHECK(std::abs(output.z(exact.output)) < 5.5);
                for (std::size_t l = 0; l < cell.depth; ++l)
                    if (exact.hidden[l] == 0)
                        CHECK(hidden[l].sum == 0);
                    else
                        CHECK(std::abs(hidden[l].z(exact.hidden[l])) < 5.5);
            }
}

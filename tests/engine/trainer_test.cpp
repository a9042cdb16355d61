#include "etastar/engine/engine.hpp"

#include "catch.hpp"
#include "engine/trainer.hpp"
#include "models.hpp"
#include "training_reference.hpp"

#include <cmath>
#include <memory>

using namespace etastar;
using engine::Memory;
using engine::Training;
using model::DataSource;

namespace {

// Answers with the network's explicit weights.
template <class T>
class ExplicitOracle final : public matrix::Oracle<T> {
public:
    ExplicitOracle(const model::RandomNetwork& network, std::uint32_t layer) {
        const std::size_t n = network.width();
        std::vector<float> part(n * n);
        network.weight_rows(layer, 0, network.width(), part.data());
        weights_ = {n, n, test::Vector(part.begin(), part.end())};
    }
    void forward(std::uint64_t /*question*/, const T* q, T* answer) override {
        const auto result = weights_.times(test::Vector(q, q + weights_.cols));
        std::copy(result.begin(), result.end(), answer);
    }
    void backward(std::uint64_t /*question*/, const T* q, T* answer) override {
        const auto result = weights_.transposed_times(test::Vector(q, q + weights_.rows));
        std::copy(result.begin(), result.end(), answer);
    }

private:
    test::Matrix weights_;
};

// Records of the network's explicit weights.
template <class T>
class OracleSource final : public engine::MatrixSource<T> {
public:
    OracleSource(const engine::Settings& settings, const Training& training)
        : dense_(settings, training), training_(training) {}

    std::size_t runs_together(const model::NetworkId& /*id*/) const override { return 1; }
    void begin(const model::RandomNetwork& network) override {
        network_ = &network;
        dense_.begin(network);
    }
    std::unique_ptr<engine::LayerMatrix<T>> matrix(std::uint32_t layer, std::size_t runs) override {
        if (layer == 1) {
            layers_.clear();
            return dense_.matrix(1, runs);
        }
        layers_.push_back(std::make_unique<Layer>(*network_, layer, engine::questions(training_)));
        return std::make_unique<engine::RecordMatrix<T>>(layers_.back()->record, training_);
    }
    void readout(T* v) const override { dense_.readout(v); }

private:
    struct Layer {
        ExplicitOracle<T> oracle;
        matrix::GaussianRecord<T> record;
        Layer(const model::RandomNetwork& network, std::uint32_t layer, std::size_t questions)
            : oracle(network, layer),
              record(network.width(), network.width(), questions, questions, oracle) {}
    };
    engine::DenseSource<T> dense_;
    Training training_;
    const model::RandomNetwork* network_ = nullptr;
    std::vector<std::unique_ptr<Layer>> layers_;
};

// Full batch, minibatch, fresh examples; random targets and a teacher; every optimizer.
std::vector<Training> all_trainings() {
    std::vector<Training> list;
    for (const auto memory : {Memory::none, Memory::momentum, Memory::adam}) {
        Training one;
        one.memory = memory;
        one.momentum = 0.8;
        one.steps = 4;
        list.push_back(one);
        one.data.samples = 3;
        one.data.source = DataSource::linear;
        list.push_back(one);
        one.data.batch = 2;
        list.push_back(one);
        one.data.batch = 0;
        one.data.samples = 2;
        one.data.source = DataSource::random;
        one.data.online = true;
        list.push_back(one);
    }
    return list;
}

void check_equal(const engine::TrainingOutcome& a, const engine::TrainingOutcome& b, double tolerance) {
    REQUIRE(a.loss.size() == b.loss.size());
    CHECK(a.diverged == b.diverged);
    for (std::size_t t = 0; t < a.loss.size(); ++t) {
        INFO("step " << t);
        CHECK(a.loss[t] == Catch::Approx(b.loss[t]).epsilon(tolerance).margin(tolerance));
    }
    CHECK(a.dz2_final == Catch::Approx(b.dz2_final).epsilon(tolerance).margin(tolerance));
    CHECK(a.kernel_initial == Catch::Approx(b.kernel_initial).epsilon(tolerance));
    // A neuron at its kink may be on either side.
    const double of_kernel = tolerance < 1e-4 ? tolerance : 10 * tolerance;
    if (!a.diverged) CHECK(a.kernel_final == Catch::Approx(b.kernel_final).epsilon(of_kernel).margin(1e-12));
}

template <class Source>
void check_against_reference(std::uint32_t width, std::uint32_t depth, const model::Model& model,
                             const Training& training, std::uint64_t seed, double tolerance = 1e-9) {
    engine::Settings settings;
    settings.model = model;
    settings.kind = engine::EngineKind::dense;
    settings.precision = engine::Precision::double_;
    const model::NetworkId id{width, depth, seed};
    engine::NetworkTrainer<double> trainer(settings, training, std::make_unique<Source>(settings, training));
    const double etas[] = {0.05, 0.4};
    const auto outcomes = trainer.run(id, etas);
    for (std::size_t k = 0; k < std::size(etas); ++k) {
        INFO(test::describe(model) << ", n = " << width << ", L = " << depth << ", memory "
                                   << static_cast<int>(training.memory) << ", P = " << training.data.samples
                                   << ", B = " << training.data.batch << ", online " << training.data.online
                                   << ", eta = " << etas[k]);
        test::ExplicitTraining reference(id, model, training);
        check_equal(outcomes[k], reference.run(etas[k]), tolerance);
    }
}

} // namespace

TEST_CASE("dense training is explicit training", "[trainer]") {
    std::uint64_t seed = 0;
    const auto trainings = all_trainings();
    for (auto model : test::all_models(5)) {
        if (model.optimizer == model::optimizer_of<model::Normalized>) continue;
        const bool adam = model.optimizer == model::optimizer_of<model::Sign>;
        for (const auto& training : trainings) {
            if ((training.memory == Memory::adam) != adam) continue;
            for (const std::uint32_t width : {1u, 6u, 40u})
                check_against_reference<engine::DenseSource<double>>(width, 1 + seed % 4, model, training,
                                                                     seed);
            ++seed;
        }
    }
}

TEST_CASE("training by records of explicit weights is explicit training", "[trainer]") {
    std::uint64_t seed = 0;
    const auto trainings = all_trainings();
    for (auto model : test::all_models(5)) {
        if (model.optimizer != model::optimizer_of<model::Sgd>) continue;
        for (const auto& training : trainings) {
            if (training.memory == Memory::adam) continue;
            for (const std::uint32_t width : {1u, 6u, 40u})
                check_against_reference<OracleSource<double>>(width, 1 + seed % 4, model, training, seed,
                                                              1e-8);
            ++seed;
        }
    }
}

TEST_CASE("rates that are trained together do not meet, also where some diverge", "[trainer]") {
    for (const auto batch : {0u, 1u}) {
        engine::Settings settings;
        settings.model.input_dim = 5;
        settings.kind = engine::EngineKind::dense;
        settings.precision = engine::Precision::double_;
        Training training;
        training.steps = 6;
        training.data.samples = 2;
        training.data.batch = batch;
        const model::NetworkId id{64, 3, 1};
        const double etas[] = {0.1, 30, 0.5, 1e4};
        const auto trainer = engine::make_trainer(settings, training);
        const auto together = trainer->run(id, etas);
        CHECK(engine::DenseSource<double>(settings, training).runs_together(id) > 1);
        CHECK_FALSE(together[0].diverged);
        CHECK(together[3].diverged);
        CHECK(together[3].steps_done() < training.steps);
        for (std::size_t k = 0; k < std::size(etas); ++k) {
            INFO("eta = " << etas[k]);
            check_equal(together[k], trainer->run(id, std::span(etas).subspan(k, 1)).front(), 1e-10);
            check_equal(together[k], test::ExplicitTraining(id, settings.model, training).run(etas[k]), 1e-8);
        }
    }
}

TEST_CASE("training begins with the first step's network and example", "[trainer]") {
    for (const auto kind : {engine::EngineKind::dense, engine::EngineKind::implicit})
        for (const auto& model : test::all_models(5)) {
            if (model.optimizer != model::optimizer_of<model::Sgd>) continue;
            engine::Settings settings;
            settings.model = model;
            settings.kind = kind;
            settings.precision = engine::Precision::double_;
            Training training;
            training.steps = 1;
            const double etas[] = {1e-3, 0.1};
            const model::NetworkId id{33, 4, 9};
            INFO(test::describe(model) << ", engine " << name_of(kind));
            const auto first = engine::make_engine(settings)->run(id, etas);
            const auto trained = engine::make_trainer(settings, training)->run(id, etas);
            const auto half_square = [&](double f) { return (f - first.target) * (f - first.target) / 2; };
            for (std::size_t k = 0; k < std::size(etas); ++k) {
                CHECK(trained[k].loss[0] == Catch::Approx(half_square(first.output)).epsilon(1e-6));
                CHECK(trained[k].kernel_initial
                      == Catch::Approx(std::sqrt(first.response_output)).epsilon(1e-6));
                // What follows has the same law in both, and with explicit weights the same values.
                if (kind != engine::EngineKind::dense) continue;
                CHECK(trained[k].loss[1]
                      == Catch::Approx(half_square(first.steps[k].output_after)).epsilon(1e-9));
                CHECK(trained[k].dz2_final == Catch::Approx(first.steps[k].dz2_last).epsilon(1e-6));
            }
        }
}

TEST_CASE("the budget of weights changes no number", "[trainer]") {
    for (const auto samples : {1u, 9u}) {
        engine::Settings settings;
        settings.model.input_dim = 5;
        settings.kind = engine::EngineKind::dense;
        Training training;
        training.steps = 5;
        training.data.samples = samples;
        const double etas[] = {0.1, 0.3, 1};
        const model::NetworkId id{150, 4, 2};
        const auto whole = engine::make_trainer(settings, training)->run(id, etas);
        for (const std::size_t budget : {std::size_t{0}, std::size_t{150 * 150 * 4 + 150 * 5 * 4}}) {
            settings.weight_budget = budget;
            const auto part = engine::make_trainer(settings, training)->run(id, etas);
            for (std::size_t k = 0; k < std::size(etas); ++k) {
                CHECK(part[k].loss == whole[k].loss);
                CHECK(part[k].dz2_final == whole[k].dz2_final);
                CHECK(part[k].kernel_final == whole[k].kernel_final);
            }
        }
    }
}

TEST_CASE("single precision trains as double does", "[trainer]") {
    for (const auto memory : {Memory::none, Memory::momentum})
        for (const auto& model : test::all_models(16)) {
            if (model.optimizer != model::optimizer_of<model::Sgd>) continue;
            engine::Settings settings;
            settings.model = model;
            settings.kind = engine::EngineKind::dense;
            Training training;
            training.memory = memory;
            training.steps = 20;
            training.data.samples = 2;
            const double etas[] = {memory == Memory::none ? 0.2 : 0.05};
            const model::NetworkId id{128, 4, 3};
            engine::NetworkTrainer<float> records(settings, training,
                                                  std::make_unique<OracleSource<float>>(settings, training));
            const auto by_records = records.run(id, etas).front();
            const auto narrow = engine::make_trainer(settings, training)->run(id, etas).front();
            settings.precision = engine::Precision::double_;
            const auto wide = engine::make_trainer(settings, training)->run(id, etas).front();
            INFO(test::describe(model) << ", memory " << static_cast<int>(memory));
            check_equal(narrow, wide, 1e-3);
            check_equal(by_records, wide, 1e-3);
        }
}

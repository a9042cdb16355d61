#include "catch.hpp"
#include "engine/trainer.hpp"
#include "models.hpp"
#include "two_sample.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace etastar;
using engine::Memory;
using engine::Training;

namespace {

// Kolmogorov and Smirnov's statistic is above this with probability 1e-7; there are some 400 of them.
constexpr double bound = 2.9;

struct Setting {
    model::Model model;
    Training training;
    std::uint32_t width = 0;
    std::uint32_t depth = 0;
    std::uint64_t networks = 0;
    double eta = 0;
};

// What is measured, [column][network]: the loss at every step, dz2, both kernels.
using Samples = std::vector<std::vector<double>>;

Samples train(engine::Trainer& trainer, const Setting& setting) {
    const std::size_t steps = setting.training.steps;
    Samples samples(steps + 4);
    const double etas[] = {setting.eta};
    for (std::uint64_t seed = 0; seed < setting.networks; ++seed) {
        const auto outcome = trainer.run({setting.width, setting.depth, seed}, etas).front();
        // A diverged run has losses beyond all others from there on.
        for (std::size_t t = 0; t <= steps; ++t)
            samples[t].push_back(t < outcome.loss.size() && std::isfinite(outcome.loss[t]) ? outcome.loss[t]
                                                                                           : 1e30);
        const double rest[] = {outcome.dz2_final, outcome.kernel_initial, outcome.kernel_final};
        for (std::size_t i = 0; i < 3; ++i)
            samples[steps + 1 + i].push_back(std::isfinite(rest[i]) ? rest[i] : 1e30);
    }
    // What rounding leaves of a network that a step has killed, or that has learnt all there is, is one value.
    for (auto& column : samples)
        for (double& value : column) value = std::round(value * 1e7) / 1e7;
    return samples;
}

Samples train(const Setting& setting, engine::EngineKind kind) {
    engine::Settings settings;
    settings.model = setting.model;
    settings.kind = kind;
    return train(*engine::make_trainer(settings, setting.training), setting);
}

double largest_distance(const Samples& a, const Samples& b) {
    double largest = 0;
    for (std::size_t c = 0; c < a.size(); ++c) largest = std::max(largest, test::two_sample(a[c], b[c]));
    return largest;
}

Setting small_setting() {
    Setting setting;
    setting.model.input_dim = 6;
    setting.training.steps = 5;
    setting.training.data.samples = 2;
    setting.width = 12;
    setting.depth = 3;
    setting.networks = 3000;
    setting.eta = 0.8;
    return setting;
}

// An implicit network in which something is wrong with the hidden matrices.
class PlantedSource final : public engine::MatrixSource<float> {
public:
    PlantedSource(const Training& training, double variance_factor, bool independent_sides)
        : sound_(training),
          training_(training),
          factor_(variance_factor),
          independent_sides_(independent_sides) {}

    std::size_t runs_together(const model::NetworkId& /*id*/) const override { return 1; }
    void begin(const model::RandomNetwork& network) override {
        network_ = &network;
        sound_.begin(network);
    }
    std::unique_ptr<engine::LayerMatrix<float>> matrix(std::uint32_t layer, std::size_t runs) override {
        if (layer == 1) {
            layers_.clear();
            return sound_.matrix(1, runs);
        }
        layers_.push_back(std::make_unique<Layer>(*network_, layer, *this));
        if (!independent_sides_)
            return std::make_unique<engine::RecordMatrix<float>>(layers_.back()->one, training_);
        return std::make_unique<Sides>(*layers_.back(), training_);
    }
    void readout(float* v) const override { sound_.readout(v); }

private:
    struct Layer {
        matrix::GaussianOracle<float> oracle;
        matrix::GaussianRecord<float> one;
        matrix::GaussianRecord<float> other;

        Layer(const model::RandomNetwork& network, std::uint32_t layer, const PlantedSource& source)
            : oracle(network.width(), network.width(), network.laws()[layer].variance() * source.factor_,
                     network.stream(random::Role::forward, layer),
                     network.stream(random::Role::backward, layer - 1)),
              one(network.width(), network.width(), engine::questions(source.training_),
                  engine::questions(source.training_), oracle),
              other(network.width(), network.width(), engine::questions(source.training_),
                    engine::questions(source.training_), oracle) {}
    };
    // Answers backward that know nothing of those forward.
    class Sides final : public engine::LayerMatrix<float> {
    public:
        Sides(Layer& layer, const Training& training) : layer_(layer), forward_(layer.one, training) {}
        void forward(std::span<const std::size_t> runs, std::size_t count, const float* h,
                     float* answer) override {
            forward_.forward(runs, count, h, answer);
        }
        void backward(std::span<const std::size_t> runs, std::size_t count, const float* d,
                      float* answer) override {
            forward_.backward(runs, count, d, answer);
            layer_.other.backward(count, d, answer);
        }
        void step(std::size_t run, double rate, std::span<const double> factors, const float* h,
                  const float* d) override {
            forward_.step(run, rate, factors, h, d);
        }

    private:
        Layer& layer_;
        engine::RecordMatrix<float> forward_;
    };

    engine::RecordSource<float> sound_;
    Training training_;
    double factor_;
    bool independent_sides_;
    const model::RandomNetwork* network_ = nullptr;
    std::vector<std::unique_ptr<Layer>> layers_;
};

Samples train_planted(const Setting& setting, double variance_factor, bool independent_sides) {
    engine::Settings settings;
    settings.model = setting.model;
    engine::NetworkTrainer<float> trainer(
        settings, setting.training,
        std::make_unique<PlantedSource>(setting.training, variance_factor, independent_sides));
    return train(trainer, setting);
}

} // namespace

TEST_CASE("no step of training tells the engines apart", "[training]") {
    std::vector<Setting> settings;
    for (const auto& model : test::all_models(6)) {
        if (model.optimizer != model::optimizer_of<model::Sgd>) continue;
        auto setting = small_setting();
        const auto i = settings.size();
        setting.model = model;
        setting.networks = 1500;
        setting.width = i % 3 == 0 ? 4 : 17;
        setting.eta = i % 2 == 0 ? 0.5 : 1.2;
        if (i % 3 == 1) setting.training.memory = Memory::momentum;
        if (i % 4 == 1) setting.training.data.source = model::DataSource::linear;
        if (i % 5 == 2) setting.training.data.online = true;
        if (i % 5 == 4) {
            setting.training.data.samples = 3;
            setting.training.data.batch = 2;
        }
        settings.push_back(setting);
    }
    for (const std::uint32_t width : {1u, 2u, 40u}) {
        auto setting = small_setting();
        setting.width = width;
        setting.training.data.samples = 1;
        setting.training.steps = width == 40 ? 12 : 4;
        settings.push_back(setting);
    }
    for (const auto& setting : settings) {
        const auto dense = train(setting, engine::EngineKind::dense);
        const auto implicit = train(setting, engine::EngineKind::implicit);
        for (std::size_t c = 0; c < dense.size(); ++c) {
            INFO(test::describe(setting.model) << ", n = " << setting.width << ", column " << c);
            CHECK(test::two_sample(dense[c], implicit[c]) < bound);
        }
    }
}

TEST_CASE("errors planted in the hidden matrices are caught", "[training]") {
    const auto setting = small_setting();
    const auto dense = train(setting, engine::EngineKind::dense);
    CHECK(largest_distance(dense, train_planted(setting, 1, false)) < bound);
    CHECK(largest_distance(dense, train_planted(setting, 1.1, false)) > bound);
    CHECK(largest_distance(dense, train_planted(setting, 1, true)) > bound);
    auto other = setting;
    other.eta *= 1.1;
    CHECK(largest_distance(dense, train(other, engine::EngineKind::implicit)) > bound);
}

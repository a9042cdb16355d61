#pragma once

#include "etastar/engine/training.hpp"
#include "etastar/model/data.hpp"

#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

// Training in double precision with every gradient formed example by example and every update added to its matrix: slow,
// plain, and independent of the engines.
namespace etastar::test {

class ExplicitTraining {
public:
    ExplicitTraining(const model::NetworkId& id, const model::Model& model, const engine::Training& training)
        : network_(id, model),
          examples_(network_, training.data),
          net_(network_, model),
          training_(training) {}

    engine::TrainingOutcome run(double eta) {
        engine::TrainingOutcome outcome;
        const auto measured = measured_examples();
        const auto before = last_layers(measured);
        outcome.kernel_initial = kernel(measured);
        for (std::uint32_t t = 0;; ++t) {
            outcome.loss.push_back(loss(examples_.batch(t)));
            outcome.diverged = !(outcome.loss.back() <= engine::divergence * outcome.loss.front());
            if (outcome.diverged || t == training_.steps) break;
            step(examples_.batch(t), eta);
        }
        const auto after = last_layers(measured);
        double change = 0;
        for (std::size_t i = 0; i < after.size(); ++i)
            change += (after[i] - before[i]) * (after[i] - before[i]);
        outcome.dz2_final = change / static_cast<double>(after.size());
        if (!outcome.diverged) outcome.kernel_final = kernel(measured);
        return outcome;
    }

private:
    using Numbers = std::vector<std::uint64_t>;

    Numbers measured_examples() const {
        if (training_.data.online) return examples_.batch(0);
        Numbers all(training_.data.samples);
        std::iota(all.begin(), all.end(), 0);
        return all;
    }

    void show(std::uint64_t example) {
        examples_.input(example, net_.x.data());
        net_.y = examples_.target(example);
    }

    double loss(const Numbers& numbers) {
        double sum = 0;
        for (const auto number : numbers) {
            show(number);
            sum += net_.loss();
        }
        return sum / static_cast<double>(numbers.size());
    }

    Vector last_layers(const Numbers& numbers) {
        Vector all;
        for (const auto number : numbers) {
            show(number);
            const auto z = net_.preactivations().back();
            all.insert(all.end(), z.begin(), z.end());
        }
        return all;
    }

    // Parameters, one array after the other, with their rates.
    struct Array {
        Vector* values;
        double rate;
    };
    std::vector<Array> arrays() {
        std::vector<Array> list;
        for (std::size_t l = 0; l < net_.weights.size(); ++l) {
            list.push_back({&net_.weights[l].values, net_.law(l).rate});
            list.push_back({&net_.biases[l], net_.law(l).bias_rate});
        }
        list.push_back({&net_.readout, net_.laws.readout.rate});
        return list;
    }
    std::vector<Vector> gradient_of(std::uint64_t example) {
        show(example);
        auto g = net_.gradient();
        std::vector<Vector> list;
        for (std::size_t l = 0; l < net_.weights.size(); ++l) {
            list.push_back(std::move(g.weights[l].values));
            list.push_back(std::move(g.biases[l]));
        }
        list.push_back(std::move(g.readout));
        return list;
    }

    void step(const Numbers& numbers, double eta) {
        std::vector<Vector> mean;
        for (const auto number : numbers) {
            auto g = gradient_of(number);
            const double factor = (net_.output() - net_.y) / static_cast<double>(numbers.size());
            if (mean.empty()) {
                mean = g;
                for (auto& array : mean) std::fill(array.begin(), array.end(), 0.0);
            }
            for (std::size_t a = 0; a < g.size(); ++a)
                for (std::size_t i = 0; i < g[a].size(); ++i) mean[a][i] += factor * g[a][i];
        }
        if (first_.empty()) {
            for (auto& array : mean) first_.emplace_back(array.size(), 0.0);
            second_ = first_;
        }
        ++steps_;
        const auto list = arrays();
        for (std::size_t a = 0; a < list.size(); ++a)
            for (std::size_t i = 0; i < mean[a].size(); ++i)
                (*list[a].values)[i] -= eta * list[a].rate * move(mean[a][i], first_[a][i], second_[a][i]);
    }

    double move(double g, double& first, double& second) const {
        if (training_.memory == engine::Memory::none) return g;
        if (training_.memory == engine::Memory::momentum) return first = training_.momentum * first + g;
        first = 0.9 * first + 0.1 * g;
        second = 0.999 * second + 0.001 * g * g;
        const double m = first / (1 - std::pow(0.9, steps_));
        const double v = second / (1 - std::pow(0.999, steps_));
        return v > 0 ? m / std::sqrt(v) : 0.0;
    }

    // Largest eigenvalue over the number of examples, by power iteration from every unit vector.
    double kernel(const Numbers& numbers) {
        std::vector<std::vector<Vector>> gradients;
        for (const auto number : numbers) gradients.push_back(gradient_of(number));
        const auto list = arrays();
        const std::size_t count = numbers.size();
        Matrix k{count, count, Vector(count * count)};
        for (std::size_t p = 0; p < count; ++p)
            for (std::size_t q = 0; q < count; ++q)
                for (std::size_t a = 0; a < list.size(); ++a)
                    k.at(p, q) +=
                        list[a].rate * dot(gradients[p][a], gradients[q][a]) / static_cast<double>(count);
        double largest = 0;
        for (std::size_t start = 0; start < count; ++start) {
            Vector v(count, 0.0);
            v[start] = 1;
            double value = 0;
            for (int i = 0; i < 2000; ++i) {
                v = k.times(v);
                value = std::sqrt(dot(v, v));
                if (value == 0) break;
                for (double& each : v) each /= value;
            }
            largest = std::max(largest, value);
        }
        return largest;
    }

    model::RandomNetwork network_;
    model::Examples examples_;
    ExplicitNetwork net_;
    engine::Training training_;
    std::vector<Vector> first_;
    std::vector<Vector> second_;
    int steps_ = 0;
};

} // namespace etastar::test

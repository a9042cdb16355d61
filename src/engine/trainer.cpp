#include "trainer.hpp"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

namespace etastar::engine {

template <class T>
NetworkTrainer<T>::NetworkTrainer(const Settings& settings, const Training& training,
                                  std::unique_ptr<MatrixSource<T>> source)
    : settings_(settings),
      training_(training),
      kernels_(kernel_set().of<T>(settings.model.activation, settings.model.leak)),
      source_(std::move(source)) {}

template <class T>
std::vector<TrainingOutcome> NetworkTrainer<T>::run(const model::NetworkId& id,
                                                    std::span<const double> etas) {
    const model::RandomNetwork network(id, settings_.model);
    const model::Examples examples(network, training_.data);
    source_->begin(network);
    std::vector<TrainingOutcome> outcomes(etas.size());
    const std::size_t together = source_->runs_together(id);
    for (std::size_t first = 0; first < etas.size(); first += together) {
        const std::size_t count = std::min(together, etas.size() - first);
        train(network, examples, etas.subspan(first, count), std::span(outcomes).subspan(first, count));
    }
    return outcomes;
}

template <class T>
void NetworkTrainer<T>::begin(const model::RandomNetwork& network, std::span<const double> etas,
                              std::span<TrainingOutcome> outcomes) {
    const std::uint32_t depth = network.depth();
    width_ = network.width();
    layers_.resize(depth);
    matrices_.clear();
    for (std::uint32_t layer = 1; layer <= depth; ++layer)
        matrices_.push_back(source_->matrix(layer, etas.size()));
    runs_.resize(etas.size());
    for (std::size_t k = 0; k < etas.size(); ++k) {
        auto& run = runs_[k];
        run.eta = etas[k];
        run.outcome = &outcomes[k];
        run.readout.resize(width_);
        source_->readout(run.readout.data());
        run.of_readout.emplace(training_.memory, training_.momentum, width_);
        run.biases.clear();
        run.of_biases.clear();
        if (!settings_.model.biases) continue;
        run.biases.assign(depth, AlignedVector<T>(width_, T{0}));
        run.of_biases.assign(depth, Moments<T>(training_.memory, training_.momentum, width_));
    }
}

template <class T>
void NetworkTrainer<T>::take(const model::Examples& examples, const std::vector<std::uint64_t>& numbers) {
    const std::size_t n0 = settings_.model.input_dim;
    count_ = numbers.size();
    matrices_.front()->name(numbers);
    inputs_.resize(count_ * n0);
    targets_.resize(count_);
    std::vector<double> x(n0);
    for (std::size_t p = 0; p < count_; ++p) {
        examples.input(numbers[p], x.data());
        std::transform(x.begin(), x.end(), inputs_.begin() + static_cast<std::ptrdiff_t>(p * n0),
                       [](double value) { return static_cast<T>(value); });
        targets_[p] = examples.target(numbers[p]);
    }
}

// Of the examples at hand, z, h and slope of every layer, and the errors.
template <class T>
void NetworkTrainer<T>::forward(const model::RandomNetwork& network, std::span<const std::size_t> runs) {
    const std::size_t n = width_;
    const std::size_t columns = runs.size() * count_;
    for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
        const auto& block = network.laws()[layer].block;
        auto& here = layers_[layer - 1];
        for (auto* values : {&here.z, &here.h, &here.slope}) values->resize(n * columns);
        const T* input = layer == 1 ? inputs_.data() : layers_[layer - 2].h.data();
        matrices_[layer - 1]->forward(runs, count_, input, here.z.data());
        const T branch = static_cast<T>(block.branch);
        const T skip = static_cast<T>(block.skip);
        for (std::size_t c = 0; c < columns; ++c) {
            T* z = here.z.data() + c * n;
            const auto& biases = runs_[runs[c / count_]].biases;
            if (!biases.empty()) {
                const T* b = biases[layer - 1].data();
                for (std::size_t i = 0; i < n; ++i) z[i] += b[i];
            }
            if (block.skip != 0) {
                const T* below = layers_[layer - 2].z.data() + c * n;
                for (std::size_t i = 0; i < n; ++i) z[i] = skip * below[i] + branch * z[i];
            }
            kernels_.activate(z, n, here.h.data() + c * n, here.slope.data() + c * n);
        }
    }
    for (std::size_t r = 0; r < runs.size(); ++r) {
        auto& run = runs_[runs[r]];
        run.errors.resize(count_);
        for (std::size_t p = 0; p < count_; ++p) {
            const T* h = layers_.back().h.data() + (r * count_ + p) * n;
            run.errors[p] = kernels_.sums->dot(run.readout.data(), h, n) - targets_[p];
        }
    }
}

template <class T>
std::uint32_t NetworkTrainer<T>::lowest_moving(const model::RandomNetwork& network) const {
    std::uint32_t layer = 1;
    while (layer <= network.depth() && !network.laws()[layer].moves()) ++layer;
    return layer;
}

// P^l of the layers down to the lowest that learns, whose matrix is asked, too: steps are made of questions.
template <class T>
void NetworkTrainer<T>::backward(const model::RandomNetwork& network, std::span<const std::size_t> runs) {
    const std::size_t n = width_;
    const std::size_t columns = runs.size() * count_;
    const std::uint32_t lowest = lowest_moving(network);
    for (std::uint32_t layer = network.depth(); layer >= lowest; --layer) {
        const auto& block = network.laws()[layer == network.depth() ? layer : layer + 1].block;
        auto& here = layers_[layer - 1];
        here.p.resize(n * columns);
        for (std::size_t c = 0; c < columns; ++c) {
            const T* slope = here.slope.data() + c * n;
            T* p = here.p.data() + c * n;
            if (layer == network.depth()) {
                const T* v = runs_[runs[c / count_]].readout.data();
                for (std::size_t i = 0; i < n; ++i) p[i] = slope[i] * v[i];
                continue;
            }
            const T* back = answers_.data() + c * n;
            const T branch = static_cast<T>(block.branch);
            if (block.skip == 0) {
                for (std::size_t i = 0; i < n; ++i) p[i] = slope[i] * (branch * back[i]);
            } else {
                const T skip = static_cast<T>(block.skip);
                const T* above = layers_[layer].p.data() + c * n;
                for (std::size_t i = 0; i < n; ++i) p[i] = skip * above[i] + slope[i] * (branch * back[i]);
            }
        }
        if (layer == 1) break;
        answers_.resize(n * columns);
        matrices_[layer - 1]->backward(runs, count_, here.p.data(), answers_.data());
    }
}

template <class T>
void NetworkTrainer<T>::step(const model::RandomNetwork& network, std::span<const std::size_t> runs) {
    const std::size_t n = width_;
    const auto& laws = network.laws();
    const double share = 1 / static_cast<double>(count_);
    std::vector<double> factors(count_);
    std::vector<T> gradient(n);
    // sum_p factors[p] columns_p
    const auto sum = [&](const T* columns) {
        std::fill(gradient.begin(), gradient.end(), T{0});
        for (std::size_t p = 0; p < count_; ++p) {
            const T factor = static_cast<T>(factors[p]);
            for (std::size_t i = 0; i < n; ++i) gradient[i] += factor * columns[p * n + i];
        }
    };
    for (std::size_t r = 0; r < runs.size(); ++r) {
        auto& run = runs_[runs[r]];
        const std::size_t first = r * count_ * n;
        for (std::uint32_t layer = 1; layer <= network.depth(); ++layer) {
            const auto& law = laws[layer];
            if (!law.moves()) continue;
            for (std::size_t p = 0; p < count_; ++p) factors[p] = run.errors[p] * law.block.branch * share;
            const T* d = layers_[layer - 1].p.data() + first;
            const T* h = layer == 1 ? inputs_.data() : layers_[layer - 2].h.data() + first;
            if (law.rate != 0) matrices_[layer - 1]->step(runs[r], run.eta * law.rate, factors, h, d);
            if (law.bias_rate == 0) continue;
            sum(d);
            run.of_biases[layer - 1].step(run.eta * law.bias_rate, gradient.data(), n,
                                          run.biases[layer - 1].data());
        }
        if (laws.readout.rate == 0) continue;
        for (std::size_t p = 0; p < count_; ++p) factors[p] = run.errors[p] * share;
        sum(layers_.back().h.data() + first);
        run.of_readout->step(run.eta * laws.readout.rate, gradient.data(), n, run.readout.data());
    }
}

// That the run goes on.
template <class T>
bool NetworkTrainer<T>::record_loss(Run& run) {
    auto& outcome = *run.outcome;
    const double squares = std::inner_product(run.errors.begin(), run.errors.end(), run.errors.begin(), 0.0);
    const double loss = squares / (2 * static_cast<double>(count_));
    outcome.loss.push_back(loss);
    outcome.diverged = !(loss <= divergence * outcome.loss.front()) || std::isinf(loss);
    return !outcome.diverged;
}

// Of the tangent kernel over the examples at hand, of the run in this place: after forward and backward.
template <class T>
double NetworkTrainer<T>::largest_eigenvalue(const model::RandomNetwork& network, std::size_t place) const {
    const auto& laws = network.laws();
    const auto count = static_cast<Eigen::Index>(count_);
    // Products of the examples' vectors, of `length` values each.
    const auto add_products = [&](const T* columns, std::size_t length, double factor,
                                  Eigen::MatrixXd& products) {
        for (Eigen::Index p = 0; p < count; ++p)
            for (Eigen::Index q = 0; q <= p; ++q)
                products(p, q) +=
                    factor
                    * kernels_.sums->dot(columns + static_cast<std::size_t>(p) * length,
                                         columns + static_cast<std::size_t>(q) * length, length);
    };
    const std::size_t first = place * count_ * width_;
    Eigen::MatrixXd kernel = Eigen::MatrixXd::Zero(count, count);
    add_products(layers_.back().h.data() + first, width_, laws.readout.rate, kernel);
    for (std::uint32_t layer = lowest_moving(network); layer <= network.depth(); ++layer) {
        const auto& law = laws[layer];
        if (!law.moves()) continue;
        Eigen::MatrixXd gradients = Eigen::MatrixXd::Zero(count, count);
        Eigen::MatrixXd inputs = Eigen::MatrixXd::Constant(count, count, law.bias_rate);
        add_products(layers_[layer - 1].p.data() + first, width_, law.block.branch * law.block.branch,
                     gradients);
        if (law.rate != 0) {
            if (layer == 1)
                add_products(inputs_.data(), settings_.model.input_dim, law.rate, inputs);
            else
                add_products(layers_[layer - 2].h.data() + first, width_, law.rate, inputs);
        }
        kernel += gradients.cwiseProduct(inputs);
    }
    kernel /= static_cast<double>(count_);
    if (!kernel.triangularView<Eigen::Lower>().toDenseMatrix().allFinite())
        return std::numeric_limits<double>::quiet_NaN();
    if (count == 1) return kernel(0, 0);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(kernel, Eigen::EigenvaluesOnly);
    return solver.eigenvalues()(count - 1);
}

// ||z^L_t - z^L_0||^2 / n, mean over the examples.
template <class T>
double NetworkTrainer<T>::change2(std::size_t place) const {
    const T* z = layers_.back().z.data() + place * count_ * width_;
    double sum = 0;
    for (std::size_t i = 0; i < count_ * width_; ++i) {
        const double change = static_cast<double>(z[i]) - static_cast<double>(initial_[i]);
        sum += change * change;
    }
    return sum / static_cast<double>(count_ * width_);
}

template <class T>
void NetworkTrainer<T>::train(const model::RandomNetwork& network, const model::Examples& examples,
                              std::span<const double> etas, std::span<TrainingOutcome> outcomes) {
    begin(network, etas, outcomes);
    const bool same_examples = training_.data.full_batch();
    std::vector<std::uint64_t> measured;
    if (training_.data.online) {
        measured = examples.batch(0);
    } else {
        measured.resize(training_.data.samples);
        std::iota(measured.begin(), measured.end(), std::uint64_t{0});
    }
    std::vector<std::size_t> active(etas.size());
    std::iota(active.begin(), active.end(), std::size_t{0});

    // Before the first step all runs are one network. After forward and backward of the measured examples.
    const auto measure_start = [&] {
        const auto& z = layers_.back().z;
        initial_.assign(z.begin(), z.begin() + static_cast<std::ptrdiff_t>(count_ * width_));
        const double kernel = largest_eigenvalue(network, 0);
        for (auto& outcome : outcomes) outcome.kernel_initial = kernel;
    };
    const auto measure_end = [&](std::size_t run, std::size_t place) {
        auto& outcome = outcomes[run];
        outcome.dz2_final = change2(place);
        outcome.kernel_final =
            outcome.diverged ? std::numeric_limits<double>::quiet_NaN() : largest_eigenvalue(network, place);
    };

    take(examples, measured);
    if (!same_examples) {
        const auto one = std::span(active).first(1);
        forward(network, one);
        backward(network, one);
        measure_start();
    }
    for (std::uint32_t t = 0;; ++t) {
        if (!same_examples) take(examples, examples.batch(t));
        forward(network, active);
        bool went_back = false;
        if (same_examples && t == 0) {
            backward(network, active);
            went_back = true;
            measure_start();
        }
        std::vector<std::size_t> going_on;
        std::vector<std::size_t> ended;
        for (const auto run : active) {
            const bool goes_on = record_loss(runs_[run]) && t < training_.steps;
            (goes_on ? going_on : ended).push_back(run);
        }
        if (same_examples) {
            if (t == training_.steps) backward(network, active);
            for (std::size_t place = 0; place < active.size(); ++place)
                if (std::binary_search(ended.begin(), ended.end(), active[place]))
                    measure_end(active[place], place);
        } else {
            if (!ended.empty()) take(examples, measured);
            for (const auto run : ended) {
                const auto one = std::span(&run, 1);
                forward(network, one);
                if (!outcomes[run].diverged) backward(network, one);
                measure_end(run, 0);
            }
        }
        if (going_on.empty()) return;
        if (!ended.empty()) { // the columns of those that go on
            active = going_on;
            if (!same_examples) take(examples, examples.batch(t));
            forward(network, active);
            went_back = false;
        }
        if (!went_back) backward(network, active);
        step(network, active);
    }
}

template class NetworkTrainer<float>;
template class NetworkTrainer<double>;

namespace {

template <class T>
std::unique_ptr<Trainer> make_trainer_of(const Settings& settings, const Training& training) {
    std::unique_ptr<MatrixSource<T>> source;
    if (settings.kind == EngineKind::dense)
        source = std::make_unique<DenseSource<T>>(settings, training);
    else
        source = std::make_unique<RecordSource<T>>(training);
    return std::make_unique<NetworkTrainer<T>>(settings, training, std::move(source));
}

} // namespace

std::unique_ptr<Trainer> make_trainer(const Settings& settings, const Training& training) {
    return settings.precision == Precision::double_ ? make_trainer_of<double>(settings, training)
                                                    : make_trainer_of<float>(settings, training);
}

namespace {

// What is no hidden layer's matrix; nanoseconds of a neuron and example in a step, of a product of the first layer, of one in
// double precision and of one in finding eigenvalues.
template <class T>
Cost add_rest(Cost cost, const Settings& settings, const Training& training, std::uint32_t width,
              std::uint32_t depth, std::size_t rates, std::size_t together) {
    constexpr double neuron = 6;
    constexpr double product = 0.05;
    constexpr double wide_product = 0.6;
    constexpr double of_eigenvalues = 0.5;
    const auto& data = training.data;
    const double n = width;
    const double n0 = settings.model.input_dim;
    const double measured = data.online ? data.batch_size() : data.samples;
    const double steps = training.steps + 1.0;
    const double inputs = data.online ? steps * data.batch_size() : data.samples;
    const double rank = std::min(inputs, n0);
    const auto runs = static_cast<double>(rates);
    const double examples = data.batch_size() * steps + (data.full_batch() ? 0 : 2 * measured);
    const double kernels = runs + 1;
    // Of a user's inputs once for all networks, which is not counted.
    const double located = data.source == model::DataSource::file ? 0 : inputs * (data.online ? runs : 1);
    cost.seconds += 1e-9
                    * (neuron * n * depth * examples * runs + 2 * product * n * rank * examples * runs
                       + 4 * wide_product * located * n0 * rank
                       + kernels * measured * measured / 2 * wide_product * (n * 2 * depth + n0)
                       + (measured > 1 ? kernels * measured * measured * measured * of_eigenvalues : 0));
    const double columns =
        std::max(static_cast<double>(std::min(rates, together)) * data.batch_size(), measured);
    const double coordinates = data.online ? 0 : inputs * rank;
    cost.bytes += static_cast<std::size_t>(
        static_cast<double>(sizeof(T))
            * (n * (columns * (4.0 * depth + 2) + rank * static_cast<double>(std::min(rates, together)))
               + measured * n0)
        + static_cast<double>(sizeof(double)) * (rank * n0 + coordinates + 4 * measured * measured));
    return cost;
}

template <class T>
Cost training_cost_of(const Settings& settings, const Training& training, std::uint32_t width,
                      std::uint32_t depth, std::size_t rates) {
    if (settings.kind == EngineKind::implicit)
        return add_rest<T>(RecordSource<T>::cost(settings, training, width, depth, rates), settings, training,
                           width, depth, rates, 1);
    const auto together = DenseSource<T>(settings, training).runs_together({width, depth, 0});
    return add_rest<T>(DenseSource<T>::cost(settings, training, width, depth, rates), settings, training,
                       width, depth, rates, together);
}

} // namespace

Cost training_cost(const Settings& settings, const Training& training, std::uint32_t width,
                   std::uint32_t depth, std::size_t rates) {
    return settings.precision == Precision::double_
               ? training_cost_of<double>(settings, training, width, depth, rates)
               : training_cost_of<float>(settings, training, width, depth, rates);
}

} // namespace etastar::engine

#include "matrix_source.hpp"

#include "etastar/engine/blas.hpp"
#include "etastar/random/normal.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

namespace etastar::engine {
namespace {

using random::Role;

// Columns of one product with W_0: more of them make it no cheaper.
constexpr std::size_t most_columns = 64;

// Vectors of all steps fit into half of the matrix that they update, or it is better updated.
bool factored(const Training& training, std::size_t width) {
    return training.memory != Memory::adam
           && std::size_t{training.steps} * training.data.batch_size() <= width / 2;
}

} // namespace

template <class T>
DenseSource<T>::DenseSource(const Settings& settings, const Training& training)
    : budget_(settings.weight_budget), training_(training) {}

template <class T>
std::size_t DenseSource<T>::runs_together(const model::NetworkId& id) const {
    if (!factored(training_, id.width)) return 1;
    const std::size_t batch = training_.data.batch_size();
    // As many as their vectors take the memory of one matrix.
    const std::size_t fit = id.width / (2 * std::size_t{training_.steps} * batch);
    return std::clamp<std::size_t>(fit, 1, std::max<std::size_t>(1, most_columns / batch));
}

template <class T>
void DenseSource<T>::begin(const model::RandomNetwork& network) {
    use_one_blas_thread();
    weights_.begin(network, budget_);
    this->prepare_inputs(network, training_.data);
}

template <class T>
std::unique_ptr<LayerMatrix<T>> DenseSource<T>::matrix(std::uint32_t layer, std::size_t runs) {
    const auto& network = weights_.network();
    if (layer == 1 && training_.memory != Memory::adam) {
        const auto multiply = [this](std::size_t /*number*/, const std::vector<double>& q, T* answer) {
            const std::size_t n = weights_.network().width();
            for (std::size_t row = 0; row < n; row += InitialWeights<T>::block_rows) {
                const std::size_t rows = std::min(InitialWeights<T>::block_rows, n - row);
                const T* w = weights_.rows(1, row, rows);
                for (std::size_t i = 0; i < rows; ++i)
                    answer[row + i] =
                        static_cast<T>(std::inner_product(q.begin(), q.end(), w + i * q.size(), 0.0));
            }
        };
        return std::make_unique<SpannedMatrix<T>>(network.width(), this->inputs(), runs, training_, multiply);
    }
    if (layer > 1 && factored(training_, network.width()))
        return std::make_unique<FactoredMatrix<T>>(weights_, layer, runs, training_);
    return std::make_unique<ExplicitMatrix<T>>(weights_, layer, training_);
}

template <class T>
void DenseSource<T>::readout(T* v) const {
    weights_.network().readout(std::span(v, weights_.network().width()));
}

template <class T>
RecordSource<T>::Layer::Layer(const model::RandomNetwork& network, std::uint32_t layer, std::size_t questions)
    : oracle(network.width(), network.width(), network.laws()[layer].variance(),
             network.stream(Role::forward, layer), network.stream(Role::backward, layer - 1)),
      record(network.width(), network.width(), questions, questions, oracle) {}

template <class T>
void RecordSource<T>::begin(const model::RandomNetwork& network) {
    network_ = &network;
    this->prepare_inputs(network, training_.data);
    layers_.resize(network.depth() - 1);
    for (std::uint32_t layer = 2; layer <= network.depth(); ++layer)
        layers_[layer - 2] = std::make_unique<Layer>(network, layer, questions(training_));
}

template <class T>
std::unique_ptr<LayerMatrix<T>> RecordSource<T>::matrix(std::uint32_t layer, std::size_t runs) {
    const auto& network = *network_;
    if (layer > 1) {
        auto& record = layers_[layer - 2]->record;
        record.reset();
        return std::make_unique<RecordMatrix<T>>(record, training_);
    }
    const auto answer = [&network](std::size_t number, const std::vector<double>& /*q*/, T* out) {
        const std::size_t n = network.width();
        random::fill_normal(network.stream(Role::forward, 1), number * n, n,
                            static_cast<float>(std::sqrt(network.laws().first.variance())), out);
    };
    return std::make_unique<SpannedMatrix<T>>(network.width(), this->inputs(), runs, training_, answer);
}

template <class T>
void RecordSource<T>::readout(T* v) const {
    const auto& network = *network_;
    random::fill_normal(network.stream(Role::backward, network.depth()), 0, network.width(),
                        static_cast<float>(network.laws().readout.deviation), v);
}

// Nanoseconds on one core: of drawing a weight; of reading one for a product, and of each of its columns; of changing one.
template <class T>
Cost DenseSource<T>::cost(const Settings& settings, const Training& training, std::uint32_t width,
                          std::uint32_t depth, std::size_t rates) {
    constexpr double drawn = 1.1;
    constexpr double wide = std::is_same_v<T, float> ? 1 : 2;
    constexpr double read = 0.3 * wide;
    constexpr double column = 0.03 * wide;
    constexpr double changed = 0.7 * wide;
    constexpr double with_moments[] = {0, 0.6 * wide, 4 * wide}; // by Memory
    const double n = width;
    const double n0 = settings.model.input_dim;
    const double batch = training.data.batch_size();
    const double steps = training.steps;
    const double layers = depth - 1.0;
    const auto runs = static_cast<double>(rates);
    const std::size_t together =
        std::min(rates, DenseSource(settings, training).runs_together({width, depth, 0}));
    const double groups = std::ceil(runs / static_cast<double>(together));
    const std::size_t matrix_bytes = std::size_t{width} * width * sizeof(T);
    const std::size_t kept = std::min<std::size_t>(depth - 1, settings.weight_budget / matrix_bytes);
    const double redrawn = layers - static_cast<double>(kept);

    Cost cost;
    const double draws = drawn * n * (n0 + n * layers);
    cost.bytes = kept * matrix_bytes + static_cast<std::size_t>(n * n0) * sizeof(T);
    if (factored(training, width)) {
        const double past = steps * batch / 2; // on average
        cost.seconds =
            draws + groups * 2 * steps * n * n * (redrawn * drawn + layers * read)
            + runs * layers * steps * batch * 2 * n * (n * column + 2 * past * (read / batch + column));
        cost.bytes += static_cast<std::size_t>(2 * n * steps * batch * layers) * together * sizeof(T);
    } else {
        const double moments = with_moments[static_cast<std::size_t>(training.memory)];
        cost.seconds = draws + runs * redrawn * n * n * drawn
                       + runs * layers * steps * n * n * (2 * read + changed + moments + 3 * batch * column);
        const std::size_t copies =
            1 + (training.memory == Memory::none ? 0 : 2) + (training.memory == Memory::adam ? 1 : 0);
        cost.bytes += copies * matrix_bytes * (depth - 1);
    }
    cost.seconds *= 1e-9;
    return cost;
}

// Nanoseconds on one core: of a variate; of reading a number of a panel, and of each of its columns.
template <class T>
Cost RecordSource<T>::cost(const Settings& /*settings*/, const Training& training, std::uint32_t width,
                           std::uint32_t depth, std::size_t rates) {
    constexpr double wide = std::is_same_v<T, float> ? 1 : 2;
    constexpr double variate = 1.5;
    constexpr double read = 0.2 * wide;
    constexpr double column = 0.05 * wide;
    constexpr double sweeps = 14; // over panels, both sides
    const double n = width;
    const double batch = training.data.batch_size();
    const auto asked = static_cast<double>(questions(training));
    const double known = std::min(asked, n);
    // Vectors known at a question, summed over the questions of a side.
    const double panels = known * known / 2 + (asked - known) * known;
    const double matrices = (depth - 1.0) * static_cast<double>(rates);

    Cost cost;
    cost.seconds =
        1e-9 * matrices
        * (2 * n * known * variate + n * panels * sweeps * (read / batch + column) + known * known * asked);
    cost.bytes = (depth - 1)
                 * (static_cast<std::size_t>(4 * n * known) * sizeof(T)
                    + static_cast<std::size_t>(2 * known * known) * sizeof(double));
    return cost;
}

template class DenseSource<float>;
template class DenseSource<double>;
template class RecordSource<float>;
template class RecordSource<double>;

} // namespace etastar::engine

#pragma once

#include "etastar/engine/training.hpp"

#include "../aligned.hpp"
#include "matrix_source.hpp"
#include "neuron_kernels.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace etastar::engine {

// Training, whatever the matrices are: T is float or double; sums over neurons are double.
//
// With the layer's block z^l = skip z^{l-1} + tau (W^l h^{l-1} + b^l), P^l = df/dz^l and errors r_p = f_p - y_p, the mean
// loss over B examples has the gradients
//
//     dW^l: sum_p (r_p tau / B) P^l_p (h^{l-1}_p)^T    db^l: sum_p (r_p tau / B) P^l_p    dv: sum_p (r_p / B) h^L_p
template <class T>
class NetworkTrainer final : public Trainer {
public:
    NetworkTrainer(const Settings& settings, const Training& training,
                   std::unique_ptr<MatrixSource<T>> source);

    std::vector<TrainingOutcome> run(const model::NetworkId& id, std::span<const double> etas) override;

private:
    // One rate's run.
    struct Run {
        double eta = 0;
        TrainingOutcome* outcome = nullptr;
        AlignedVector<T> readout;             // v
        std::vector<AlignedVector<T>> biases; // of layers 1 .. L
        std::optional<Moments<T>> of_readout;
        std::vector<Moments<T>> of_biases;
        std::vector<double> errors; // r of the last examples
    };
    // Columns of a layer: an example of a run after the other.
    struct Layer {
        AlignedVector<T> z;
        AlignedVector<T> h;
        AlignedVector<T> slope;
        AlignedVector<T> p;
    };

    void train(const model::RandomNetwork& network, const model::Examples& examples,
               std::span<const double> etas, std::span<TrainingOutcome> outcomes);
    void begin(const model::RandomNetwork& network, std::span<const double> etas,
               std::span<TrainingOutcome> outcomes);
    void take(const model::Examples& examples, const std::vector<std::uint64_t>& numbers);
    void forward(const model::RandomNetwork& network, std::span<const std::size_t> runs);
    void backward(const model::RandomNetwork& network, std::span<const std::size_t> runs);
    void step(const model::RandomNetwork& network, std::span<const std::size_t> runs);
    bool record_loss(Run& run);
    double largest_eigenvalue(const model::RandomNetwork& network, std::size_t place) const;
    double change2(std::size_t place) const;
    std::uint32_t lowest_moving(const model::RandomNetwork& network) const;

    Settings settings_;
    Training training_;
    NeuronKernels<T> kernels_;
    std::unique_ptr<MatrixSource<T>> source_;

    std::size_t width_ = 0;
    std::size_t count_ = 0; // examples at hand
    std::vector<T> inputs_; // theirs, of n0 values each
    std::vector<double> targets_;
    std::vector<std::unique_ptr<LayerMatrix<T>>> matrices_; // W^l at l - 1
    std::vector<Run> runs_;
    std::vector<Layer> layers_; // at l - 1
    AlignedVector<T> answers_;
    std::vector<T> initial_; // z^L_0 of the measured examples
};

} // namespace etastar::engine

#pragma once

#include "etastar/engine/settings.hpp"
#include "etastar/engine/training.hpp"
#include "etastar/matrix/gaussian_record.hpp"
#include "etastar/model/random_network.hpp"

#include "dense_matrices.hpp"
#include "layer_matrix.hpp"
#include "questions.hpp"
#include "record_matrix.hpp"
#include "spanned_matrix.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace etastar::engine {

// Where the trainer's matrices come from: what engines differ in.
template <class T>
class MatrixSource {
public:
    MatrixSource() = default;
    virtual ~MatrixSource() = default;
    MatrixSource(const MatrixSource&) = delete;
    MatrixSource& operator=(const MatrixSource&) = delete;

    // How many rates are best trained together.
    virtual std::size_t runs_together(const model::NetworkId& id) const = 0;

    virtual void begin(const model::RandomNetwork& network) = 0;

    // The initial W^layer of the network, for so many runs. The source outlives the matrix, of which there is one at a time.
    virtual std::unique_ptr<LayerMatrix<T>> matrix(std::uint32_t layer, std::size_t runs) = 0;

    // v, n values.
    virtual void readout(T* v) const = 0;

protected:
    // Inputs are a network's own, or those of the user, which are the same for all.
    void prepare_inputs(const model::RandomNetwork& network, const model::Data& data) {
        const bool known = data.source == model::DataSource::file && inputs_.rank() > 0;
        if (!known) inputs_.reset(network.input_dim(), !data.online);
    }
    InputBasis& inputs() { return inputs_; }

private:
    InputBasis inputs_;
};

// Explicit weights.
template <class T>
class DenseSource final : public MatrixSource<T> {
public:
    DenseSource(const Settings& settings, const Training& training);

    // Of the matrices of one network, all its rates.
    static Cost cost(const Settings& settings, const Training& training, std::uint32_t width,
                     std::uint32_t depth, std::size_t rates);

    std::size_t runs_together(const model::NetworkId& id) const override;
    void begin(const model::RandomNetwork& network) override;
    std::unique_ptr<LayerMatrix<T>> matrix(std::uint32_t layer, std::size_t runs) override;
    void readout(T* v) const override;

private:
    std::size_t budget_;
    Training training_;
    InitialWeights<T> weights_;
};

// Matrices that are never stored (matrix/gaussian_record.hpp).
template <class T>
class RecordSource final : public MatrixSource<T> {
public:
    explicit RecordSource(const Training& training) : training_(training) {}

    static Cost cost(const Settings& settings, const Training& training, std::uint32_t width,
                     std::uint32_t depth, std::size_t rates);

    std::size_t runs_together(const model::NetworkId& /*id*/) const override { return 1; }
    void begin(const model::RandomNetwork& network) override;
    std::unique_ptr<LayerMatrix<T>> matrix(std::uint32_t layer, std::size_t runs) override;
    void readout(T* v) const override;

private:
    struct Layer {
        matrix::GaussianOracle<T> oracle;
        matrix::GaussianRecord<T> record;

        Layer(const model::RandomNetwork& network, std::uint32_t layer, std::size_t questions);
    };

    Training training_;
    const model::RandomNetwork* network_ = nullptr;
    std::vector<std::unique_ptr<Layer>> layers_; // of W^2 .. W^L, whose memory serves one run after the other
};

} // namespace etastar::engine

#pragma once

#include "etastar/model/random_network.hpp"
#include "etastar/names.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace etastar::model {

// Where training examples come from. random: inputs of signs, targets of fair signs; linear: the same inputs, targets of a
// linear teacher of unit variance, y = theta . x / sqrt(n0) with theta ~ N(0, 1); file: a table of the user's.
enum class DataSource { random, linear, file };

// A user's examples.
struct Dataset {
    std::uint32_t samples = 0;   // P
    std::uint32_t input_dim = 0; // n0
    std::vector<double> x;       // P x n0, row-major
    std::vector<double> y;       // P
};

// Which examples a network is trained on. Numerics depend on this alone.
struct Data {
    DataSource source = DataSource::random;
    std::uint32_t samples = 1; // P: of the data set; with `online`, of each step
    std::uint32_t batch = 0; // B: examples of a step, drawn of the P without replacement; 0 or P: all of them
    bool online = false;     // fresh examples every step; source random or linear
    // Of source file: the data, and what names their values in a spec.
    std::string digest;
    std::shared_ptr<const Dataset> table;

    // Examples of one step.
    std::uint32_t batch_size() const { return batch == 0 ? samples : batch; }
    bool full_batch() const { return !online && batch_size() == samples; }

    // The same examples; a digest stands for its table.
    friend bool operator==(const Data& a, const Data& b) {
        return a.source == b.source && a.samples == b.samples && a.batch_size() == b.batch_size()
               && a.online == b.online && a.digest == b.digest;
    }
};

// The examples of one network, by number: 0 .. P-1, or, online, B t .. B (t + 1) - 1 of step t. Nothing is stored but the
// teacher and a user's table; any example can be drawn, any number of times. Example 0 of `random` is that of RandomNetwork.
class Examples {
public:
    Examples(const RandomNetwork& network, const Data& data);

    const Data& data() const { return data_; }

    // Numbers of the examples of step t: batch_size() of them, ascending.
    std::vector<std::uint64_t> batch(std::uint32_t step) const;

    // x of an example; out: n0 values.
    void input(std::uint64_t example, double* out) const;

    // And its y.
    double target(std::uint64_t example) const;

private:
    RandomNetwork network_;
    Data data_;
    std::vector<double> teacher_; // theta / sqrt(n0)
};

} // namespace etastar::model

template <>
struct etastar::Names<etastar::model::DataSource> {
    static constexpr std::string_view what = "data";
    static constexpr NameTable<model::DataSource, 3> table{{{"random", model::DataSource::random},
                                                            {"linear", model::DataSource::linear},
                                                            {"file", model::DataSource::file}}};
};

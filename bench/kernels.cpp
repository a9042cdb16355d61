// Times of the kernels and of whole networks, on one core. bench/run sets them in ratio to their baselines.
#include "random/kernels.hpp"

#include "etastar/engine/blas.hpp"
#include "etastar/matrix/gaussian_record.hpp"
#include "etastar/model/model.hpp"
#include "etastar/model/random_network.hpp"
#include "etastar/random/normal.hpp"
#include "etastar/random/stream.hpp"

#include "engine/blas_library.hpp"
#include "engine/dense.hpp"
#include "engine/implicit.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace etastar;

const model::Model bench_model{.input_dim = 64}; // ReLU, all layers, layer-wise rates
constexpr std::int64_t width = 1024;
constexpr std::int64_t depth = 16;
constexpr std::int64_t rate_count = 16;
constexpr std::int64_t columns = rate_count + 1; // of the panel: every rate and the linear response

// Values drawn at a time: stays in the second-level cache, and does not.
constexpr std::int64_t few_values = 1 << 16;
constexpr std::int64_t many_values = 1 << 22;

random::Stream weight_stream() {
    return random::Stream({.seed = 1, .width = 1024, .depth = 16, .layer = 2, .role = random::Role::weights});
}

void count_values(benchmark::State& state, std::size_t values) {
    state.counters["per_value"] =
        benchmark::Counter(static_cast<double>(values),
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void fill_normal(benchmark::State& state) {
    std::vector<float> out(static_cast<std::size_t>(state.range(0)));
    const auto stream = weight_stream();
    std::uint64_t first = 0;
    for (auto _ : state) {
        random::fill_normal(stream, first, out.size(), 0.5f, out.data());
        benchmark::ClobberMemory();
        first += out.size();
    }
    count_values(state, out.size());
}
BENCHMARK(fill_normal)->Arg(few_values)->Arg(many_values);

void fill_words(benchmark::State& state) {
    std::vector<std::uint32_t> out(static_cast<std::size_t>(state.range(0)));
    const auto stream = weight_stream();
    const std::size_t chunks = out.size() / random::chunk_size;
    std::uint64_t first = 0;
    for (auto _ : state) {
        random::fill_words(stream, first, chunks, out.data());
        benchmark::ClobberMemory();
        first += chunks;
    }
    count_values(state, out.size());
}
BENCHMARK(fill_words)->Arg(few_values);

void std_normal_distribution(benchmark::State& state) {
    std::vector<float> out(static_cast<std::size_t>(state.range(0)));
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(0.0f, 0.5f);
    for (auto _ : state) {
        for (auto& value : out) value = normal(generator);
        benchmark::ClobberMemory();
    }
    count_values(state, out.size());
}
BENCHMARK(std_normal_distribution)->Arg(few_values);

void isa_normals(benchmark::State& state, const random::Kernels* kernels) {
    std::vector<float> out(few_values);
    const auto stream = weight_stream();
    for (auto _ : state) {
        kernels->normals(stream.key.data(), stream.prefix.data(), 0, out.size() / random::chunk_size, 0.5f,
                         out.data());
        benchmark::ClobberMemory();
    }
    count_values(state, out.size());
}

void isa_words(benchmark::State& state, const random::Kernels* kernels) {
    std::vector<std::uint32_t> out(few_values);
    const auto stream = weight_stream();
    for (auto _ : state) {
        kernels->words(stream.key.data(), stream.prefix.data(), 0, out.size() / random::chunk_size,
                       out.data());
        benchmark::ClobberMemory();
    }
    count_values(state, out.size());
}

// The matrices W^2 .. W^L of a network, kept in one buffer, and whole-matrix products with every one of them:
// the least that any program with explicit matrices has to do. Arguments of a benchmark: n, L, columns of the
// panel.
class Matrices {
public:
    explicit Matrices(const benchmark::State& state)
        : n_(static_cast<std::size_t>(state.range(0))),
          depth_(static_cast<std::uint32_t>(state.range(1))),
          columns_(static_cast<std::size_t>(state.range(2))),
          weights_(count() * n_ * n_),
          in_(n_),
          out_(n_),
          panel_(n_ * columns_),
          product_(n_ * columns_) {
        draw();
        const auto stream = random::Stream({.seed = 2, .width = 0, .depth = 0, .layer = 0});
        random::fill_normal(stream, 0, in_.size(), 1.0f, in_.data());
        random::fill_normal(stream, 0, panel_.size(), 1.0f, panel_.data());
    }

    void draw() {
        const model::RandomNetwork network({static_cast<std::uint32_t>(n_), depth_, ++seed_}, bench_model);
        for (std::uint32_t layer = 2; layer <= depth_; ++layer)
            network.weight_rows(layer, 0, static_cast<std::uint32_t>(n_),
                                weights_.data() + (layer - 2) * n_ * n_);
    }

    void gemv() { vector_products(CblasNoTrans); }
    void gemv_transposed() { vector_products(CblasTrans); }

    void gemm() {
        const auto& blas = engine::blas_library();
        const auto n = static_cast<engine::BlasInt>(n_);
        const auto k = static_cast<engine::BlasInt>(columns_);
        for (std::size_t i = 0; i < count(); ++i)
            blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, k, n, 1.0f, matrix(i), n, panel_.data(),
                       k, 0.0f, product_.data(), k);
        benchmark::ClobberMemory();
    }

    std::size_t values() const { return weights_.size(); }

private:
    std::size_t count() const { return depth_ - 1; }
    const float* matrix(std::size_t i) const { return weights_.data() + i * n_ * n_; }

    void vector_products(CBLAS_TRANSPOSE transpose) {
        const auto& blas = engine::blas_library();
        const auto n = static_cast<engine::BlasInt>(n_);
        for (std::size_t i = 0; i < count(); ++i)
            blas.sgemv(CblasRowMajor, transpose, n, n, 1.0f, matrix(i), n, in_.data(), 1, 0.0f, out_.data(),
                       1);
        benchmark::ClobberMemory();
    }

    std::size_t n_;
    std::uint32_t depth_;
    std::size_t columns_;
    std::uint64_t seed_ = 0;
    std::vector<float> weights_, in_, out_, panel_, product_;
};

void bare_fill(benchmark::State& state) {
    Matrices matrices(state);
    for (auto _ : state) matrices.draw();
    count_values(state, matrices.values());
}

void bare_gemv(benchmark::State& state) {
    Matrices matrices(state);
    for (auto _ : state) matrices.gemv();
    count_values(state, matrices.values());
}

void bare_gemv_transposed(benchmark::State& state) {
    Matrices matrices(state);
    for (auto _ : state) matrices.gemv_transposed();
    count_values(state, matrices.values());
}

void bare_gemm(benchmark::State& state) {
    Matrices matrices(state);
    for (auto _ : state) matrices.gemm();
    count_values(state, matrices.values());
}

void bare_kernels(benchmark::State& state) {
    Matrices matrices(state);
    for (auto _ : state) {
        matrices.draw();
        matrices.gemv();
        matrices.gemv_transposed();
        matrices.gemm();
    }
    count_values(state, matrices.values());
}

// With two layers there is one matrix, which stays in the last-level cache.
void shapes(benchmark::internal::Benchmark* bench) {
    bench->Args({width, 2, columns})->Args({width, depth, columns})->Unit(benchmark::kMillisecond);
}
BENCHMARK(bare_fill)->Apply(shapes);
BENCHMARK(bare_gemv)->Apply(shapes);
BENCHMARK(bare_gemv_transposed)->Apply(shapes);
BENCHMARK(bare_gemm)->Apply(shapes);
BENCHMARK(bare_kernels)->Args({width, depth, columns})->Unit(benchmark::kMillisecond);

// Whole networks, measured at all rates: n, L, number of rates. Values are the variates that a network is
// made of.
void run_networks(benchmark::State& state, engine::Engine& engine, std::size_t values) {
    model::NetworkId id{static_cast<std::uint32_t>(state.range(0)),
                        static_cast<std::uint32_t>(state.range(1)), 0};
    const double centre = std::sqrt(3.0) * std::pow(id.depth, -1.5);
    std::vector<double> rates;
    for (std::int64_t k = 0; k < state.range(2); ++k)
        rates.push_back(
            centre * std::pow(10.0, 2.0 * static_cast<double>(k) / static_cast<double>(state.range(2)) - 1));
    engine.run(id, rates); // an engine allocates once and is then used for many networks
    for (auto _ : state) {
        ++id.seed;
        benchmark::DoNotOptimize(engine.run(id, rates));
    }
    count_values(state, values);
}

template <class T>
void dense_network(benchmark::State& state) {
    engine::DenseEngine<T> engine({.model = bench_model});
    run_networks(state, engine,
                 static_cast<std::size_t>(state.range(0) * state.range(0) * (state.range(1) - 1)));
}
BENCHMARK_TEMPLATE(dense_network, float)->Args({width, depth, rate_count})->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(dense_network, double)->Args({width, depth, rate_count})->Unit(benchmark::kMillisecond);

std::size_t implicit_variates(const benchmark::State& state) {
    return static_cast<std::size_t>(3 * state.range(0) * state.range(1));
}

void implicit_network(benchmark::State& state) {
    engine::ImplicitEngine<float> engine({.model = bench_model});
    run_networks(state, engine, implicit_variates(state));
}

// The floor of an implicit network: its 3 n L variates, a layer's at a time into one buffer.
void implicit_draws(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    std::vector<float> values(n);
    random::StreamName name{0, 1, 1, 1, random::Role::forward};
    for (auto _ : state) {
        ++name.seed;
        for (std::int64_t vector = 0; vector < 3 * state.range(1); ++vector) {
            name.layer = static_cast<std::uint32_t>(vector);
            random::fill_normal(random::Stream(name), 0, n, 1.0f, values.data());
            benchmark::DoNotOptimize(values.data());
        }
    }
    count_values(state, implicit_variates(state));
}

void implicit_shapes(benchmark::internal::Benchmark* bench) {
    for (const std::int64_t n :
         {width, std::int64_t{1} << 14, std::int64_t{1} << 16, std::int64_t{1} << 18, std::int64_t{1} << 20})
        bench->Args({n, depth, rate_count});
    bench->Unit(benchmark::kMillisecond);
}
BENCHMARK(implicit_network)->Apply(implicit_shapes);
BENCHMARK(implicit_draws)->Apply(implicit_shapes);

// Every word of `count` columns of n, once.
void read_columns(const std::vector<std::uint32_t>& panel, std::size_t count, std::size_t n) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < count * n; ++i) sum += panel[i];
    benchmark::DoNotOptimize(sum);
}

// The floor of the hidden layers of a run of training on one example: reading what its records must read. n, L, T. A
// question whose side has k columns reads its basis three times (its products, what is left and its products again, what is
// left of that), the other side's twice (the products with the variates, the multiples), and the answers of both.
void training_panels(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto matrices = static_cast<std::size_t>(state.range(1)) - 1;
    const auto steps = static_cast<std::size_t>(state.range(2));
    struct Side {
        std::vector<std::uint32_t> basis, answers;
    };
    const Side empty{std::vector<std::uint32_t>(n * steps), std::vector<std::uint32_t>(n * steps)};
    const std::vector<std::array<Side, 2>> records(matrices, {empty, empty});
    for (auto _ : state)
        for (std::size_t filled = 1; filled <= steps; ++filled)
            for (std::size_t asked = 0; asked < 2; ++asked)
                for (const auto& record : records) {
                    const Side& side = record[asked];
                    const Side& other = record[1 - asked];
                    for (int pass = 0; pass < 3; ++pass) read_columns(side.basis, filled, n);
                    for (int pass = 0; pass < 2; ++pass) read_columns(other.basis, filled, n);
                    read_columns(side.answers, filled, n);
                    read_columns(other.answers, filled, n);
                }
}

void training_shapes(benchmark::internal::Benchmark* bench) {
    for (const std::int64_t n :
         {std::int64_t{1} << 12, std::int64_t{1} << 14, std::int64_t{1} << 16, std::int64_t{1} << 18})
        bench->Args({n, 4, 30});
    bench->Unit(benchmark::kMillisecond);
}
BENCHMARK(training_panels)->Apply(training_shapes);

void variant_network(benchmark::State& state, engine::EngineKind kind, const model::Model& network) {
    const auto engine = engine::make_engine({.model = network, .kind = kind});
    const bool dense = kind == engine::EngineKind::dense;
    run_networks(state, *engine,
                 dense ? static_cast<std::size_t>(state.range(0) * state.range(0) * (state.range(1) - 1))
                       : implicit_variates(state));
}

// One matrix that is never stored, asked like training asks: n, T, P. Every step P vectors forward, P backward, and an update
// of rank P.
void record_training(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto steps = static_cast<std::size_t>(state.range(1));
    const auto vectors = static_cast<std::size_t>(state.range(2));
    const auto stream = [](random::Role role) { return random::Stream({.seed = 1, .role = role}); };
    matrix::GaussianOracle<float> oracle(n, n, 2.0 / static_cast<double>(n), stream(random::Role::forward),
                                         stream(random::Role::backward));
    matrix::GaussianRecord<float> record(n, n, steps * vectors, steps * vectors, oracle);
    std::vector<float> questions((steps + 1) * vectors * n);
    std::vector<float> answers(vectors * n);
    random::fill_normal(stream(random::Role::weights), 0, questions.size(), 1.0f, questions.data());
    const std::vector<double> factors(vectors, -0.01 / static_cast<double>(n));
    const auto train = [&] {
        record.reset();
        for (std::size_t t = 0; t < steps; ++t) {
            record.forward(vectors, questions.data() + t * vectors * n, answers.data());
            record.backward(vectors, questions.data() + (t + 1) * vectors * n, answers.data());
            record.step(factors);
        }
    };
    train(); // touches the memory
    for (auto _ : state) train();
    count_values(state, n * steps * vectors);
}

// The floor of that: what of its four panels has been filled is read once a question, here as one array after the other.
void record_panels(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto steps = static_cast<std::size_t>(state.range(1));
    const auto vectors = static_cast<std::size_t>(state.range(2));
    constexpr std::size_t width_of_sum = 64;
    std::vector<float> panels(4 * n * steps * vectors, 1.0f);
    float sums[width_of_sum] = {};
    for (auto _ : state)
        for (std::size_t t = 0; t < 2 * steps; ++t) {
            const std::size_t filled = panels.size() / steps * t / 2;
            for (std::size_t i = 0; i + width_of_sum <= filled; i += width_of_sum)
                for (std::size_t j = 0; j < width_of_sum; ++j) sums[j] += panels[i + j];
            benchmark::DoNotOptimize(sums);
        }
    count_values(state, n * steps * vectors);
}

void record_shapes(benchmark::internal::Benchmark* bench) {
    for (const std::int64_t n :
         {std::int64_t{1} << 12, std::int64_t{1} << 14, std::int64_t{1} << 16, std::int64_t{1} << 18})
        bench->Args({n, 30, 1});
    bench->Args({std::int64_t{1} << 16, 100, 1})
        ->Args({std::int64_t{1} << 12, 30, 8})
        ->Unit(benchmark::kMillisecond);
}
BENCHMARK(record_training)->Apply(record_shapes);
BENCHMARK(record_panels)->Apply(record_shapes);

// ENGINE_variant/ACTIVATION/ARCHITECTURE/OPTIMIZER/n/L/rates, every combination.
void register_variants() {
    for (const auto& [engine_name, kind] : Names<engine::EngineKind>::table)
        for (const auto& [activation_name, activation] : Names<model::Activation>::table)
            for (const auto& [architecture_name, architecture] : Names<model::Architecture>::table)
                for (const auto& [optimizer_name, optimizer] : Names<model::Optimizer>::table) {
                    model::Model variant = bench_model;
                    variant.activation = activation;
                    variant.architecture = architecture;
                    variant.optimizer = optimizer;
                    std::string name(engine_name);
                    name += "_variant";
                    for (const auto part : {activation_name, architecture_name, optimizer_name}) {
                        name += '/';
                        name += part;
                    }
                    benchmark::RegisterBenchmark(name.c_str(), variant_network, kind, variant)
                        ->Args({width, depth, rate_count})
                        ->Unit(benchmark::kMillisecond);
                }
}

} // namespace

int main(int argc, char** argv) {
    engine::use_one_blas_thread();
    benchmark::AddCustomContext("blas", engine::blas_version());
    benchmark::AddCustomContext("blas_core", engine::blas_core());
    for (const auto* kernels : random::supported_kernels()) {
        const std::string isa = kernels->isa;
        benchmark::RegisterBenchmark(("normals/" + isa).c_str(), isa_normals, kernels);
        benchmark::RegisterBenchmark(("words/" + isa).c_str(), isa_words, kernels);
    }
    register_variants();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

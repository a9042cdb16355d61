#include "local.hpp"

#include "etastar/engine/blas.hpp"
#include "etastar/engine/engine.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/random/normal.hpp"
#include "etastar/theory/moments.hpp"
#include "etastar/trial/kind.hpp"
#include "etastar/trial/record.hpp"

#include "../aligned.hpp"
#include "../engine/products.hpp"
#include "../matrix/kernels.hpp"
#include "../random/kernels.hpp"
#include "check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace etastar::selftest {
namespace {

model::Model relu_network() {
    model::Model relu;
    relu.input_dim = 64;
    return relu;
}

std::string names_of_kernels() {
    std::vector<std::string> names;
    for (const auto* kernels : random::supported_kernels()) names.emplace_back(kernels->isa);
    return fmt::format("{}", fmt::join(names, ", "));
}

// Random123's kat_vectors for Philox4x32-10: counter and key of zeros, of ones, and of digits of pi.
struct KnownAnswer {
    std::array<std::uint32_t, 2> key;
    std::array<std::uint32_t, 2> prefix;
    std::uint64_t block;
    std::array<std::uint32_t, 4> words;
};
constexpr KnownAnswer known_answers[] = {
    {{0, 0}, {0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     0xffffffffffffffff,
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0xa4093822, 0x299f31d0},
     {0x13198a2e, 0x03707344},
     0x85a308d3243f6a88,
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

std::string check_random_numbers() {
    constexpr std::size_t chunks = 256;
    constexpr std::size_t count = chunks * random::chunk_size;
    // Of the variates below, on any processor: a network's weights are these bits.
    constexpr std::uint32_t normals_crc = 0xa68b229a;
    const random::Stream stream({2305, 7810, 3, 2, random::Role::weights});
    for (const auto* kernels : random::supported_kernels()) {
        for (const auto& known : known_answers) {
            std::array<std::uint32_t, random::chunk_size> words{};
            kernels->words(known.key.data(), known.prefix.data(), known.block / 16, 1, words.data());
            const auto lane = known.block % 16;
            for (std::size_t w = 0; w < 4; ++w)
                require(words[16 * w + lane] == known.words[w],
                        fmt::format("the {} kernels do not reproduce Philox4x32-10", kernels->isa));
        }
        std::vector<float> normals(count);
        kernels->normals(stream.key.data(), stream.prefix.data(), 0, chunks, 1.0f, normals.data());
        const auto crc = trial::checksum(std::as_bytes(std::span(normals)));
        require(crc == normals_crc,
                fmt::format("the {} kernels draw other variates: checksum {:08x}, not {:08x}", kernels->isa,
                            crc, normals_crc));
    }
    return fmt::format("Philox known answers and normal variates: {}", names_of_kernels());
}

template <class T>
void check_loops(const matrix::Kernels& kernels, const matrix::Kernels& narrowest) {
    constexpr std::size_t length = 4096;
    constexpr std::size_t columns = 5;
    const random::Stream stream({1, 2, 3, 4, random::Role::forward});
    AlignedVector<T> values(columns * length);
    random::fill_normal(stream, 0, values.size(), 1.0f, values.data());
    const matrix::Columns<T> all{values.data(), length, columns};
    const auto sums_of = [&](const matrix::Kernels& each) {
        std::vector<double> sums(2 * columns * columns);
        each.of<T>().project(all, all, length, sums.data());
        each.of<T>().products(all, length, sums.data() + columns * columns);
        for (std::size_t i = 0; i < columns; ++i)
            for (std::size_t j = 0; j < i; ++j) sums[columns * (columns + i) + j] = 0;
        return sums;
    };
    require(sums_of(kernels) == sums_of(narrowest),
            fmt::format("the {} kernels sum to other bits than the {} ones", kernels.isa, narrowest.isa));
}

std::string check_kernels() {
    const auto all = matrix::supported_kernels();
    for (const auto* kernels : all) {
        check_loops<float>(*kernels, *all.front());
        check_loops<double>(*kernels, *all.front());
    }
    return all.size() == 1 ? fmt::format("{} alone", all.front()->isa)
                           : fmt::format("the same bits by all, {} runs", all.back()->isa);
}

std::string check_theory() {
    const auto relu = relu_network();
    const auto exact = theory::exact_responses(relu, 64, 8);
    // By the same recursion in Python, and in closed form.
    require_close(exact.hidden.back(), 220.03421002842606, 1e-12, "E G of width 64, depth 8");
    require_close(exact.output, 38.59308640571393, 1e-12, "E Theta^2 of width 64, depth 8");
    const auto* limit = theory::find(relu, theory::Regime::infinite_width);
    require(limit != nullptr, "there is no theory of infinite width");
    for (const auto criterion : {theory::Criterion::linear, theory::Criterion::finite}) {
        const auto rate = theory::rate(*limit, criterion, relu, 1, 1, theory::Layer::last, 1.0).value_or(0);
        require_close(rate, std::sqrt(2.0), 1e-9, "eta* of one layer at infinite width");
    }
    const auto deep =
        theory::rate(*limit, theory::Criterion::linear, relu, 1, 1 << 14, theory::Layer::last, 1.0);
    require_close(deep.value_or(0) * std::pow(1 << 14, 1.5), std::sqrt(3.0), 1e-3,
                  "eta* L^(3/2) of deep networks");
    return "exact moments, infinite width, the limit sqrt(3) L^(-3/2)";
}

template <class T>
void check_products() {
    // No size is a multiple of a vector's or of a block's.
    constexpr std::size_t rows = 141;
    constexpr std::size_t cols = 67;
    constexpr std::size_t inner = 203;
    const random::Stream stream({5, 6, 7, 8, random::Role::weights});
    AlignedVector<T> a(rows * inner);
    AlignedVector<T> b(inner * cols);
    random::fill_normal(stream, 0, a.size(), 1.0f, a.data());
    random::fill_normal(stream, a.size(), b.size(), 1.0f, b.data());
    AlignedVector<T> product(rows * cols);
    AlignedVector<T> vector(rows);
    AlignedVector<T> transposed(inner);
    engine::gemm(rows, cols, inner, a.data(), b.data(), product.data(), cols);
    engine::gemv(rows, inner, a.data(), b.data(), vector.data());
    engine::gemv_transposed(rows, inner, a.data(), a.data(), transposed.data());
    const double tolerance = 64 * std::sqrt(double{inner}) * std::numeric_limits<T>::epsilon();
    const auto compare = [&](double value, double expected, const char* name) {
        require(
            std::abs(value - expected) <= tolerance * std::sqrt(double{inner}),
            fmt::format("{}{}: {} is computed for {}", sizeof(T) == 4 ? "s" : "d", name, value, expected));
    };
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < inner; ++k) sum += double{a[i * inner + k]} * b[k * cols + j];
            compare(product[i * cols + j], sum, "gemm");
        }
        double sum = 0;
        for (std::size_t k = 0; k < inner; ++k) sum += double{a[i * inner + k]} * b[k];
        compare(vector[i], sum, "gemv");
    }
    for (std::size_t k = 0; k < inner; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < rows; ++i) sum += double{a[i * inner + k]} * a[i];
        compare(transposed[k], sum, "gemv of the transpose");
    }
}

std::string check_blas() {
    engine::load_blas();
    engine::use_one_blas_thread();
    check_products<float>();
    check_products<double>();
    return fmt::format("{}; kernels {}, chosen by {}", engine::blas_version(), engine::blas_core(),
                       engine::blas_core_chosen_by());
}

struct Mean {
    double value = 0;
    double error = 0;
};

Mean mean_of(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    double sum = 0;
    double squares = 0;
    for (const double value : values) sum += value;
    for (const double value : values) squares += (value - sum / n) * (value - sum / n);
    return {sum / n, std::sqrt(squares / (n - 1) / n)};
}

// Both engines draw networks of one law, whose mean response is known, and a small step moves them as the response says.
std::string check_engines() {
    constexpr std::uint32_t width = 64;
    constexpr std::uint32_t depth = 6;
    constexpr std::uint64_t networks = 200;
    const auto relu = relu_network();
    const auto exact = theory::exact_responses(relu, width, depth).hidden.back();
    const double small[] = {1e-4 / std::sqrt(exact)};
    std::string text;
    for (const auto kind : {engine::EngineKind::implicit, engine::EngineKind::dense}) {
        const auto engine = engine::make_engine({relu, kind, engine::Precision::double_, {}});
        std::vector<double> responses;
        for (std::uint64_t seed = 0; seed < networks; ++seed) {
            const auto outcome = engine->run({width, depth, seed}, small);
            responses.push_back(outcome.response.back());
            const double error = engine->error(outcome) * small[0];
            require_close(outcome.steps[0].dz2_last, error * error * outcome.response.back(), 0.02,
                          fmt::format("{} engine: a small step's change", name_of(kind)));
        }
        const auto mean = mean_of(responses);
        require(std::abs(mean.value - exact) < most_deviations * mean.error,
                fmt::format("{} engine: mean response {:.4g} +- {:.2g}, exact theory {:.4g}", name_of(kind),
                            mean.value, mean.error, exact));
        text +=
            fmt::format("{}{} {:.4g}", text.empty() ? "mean response: " : ", ", name_of(kind), mean.value);
    }
    return fmt::format("{}, exact theory {:.4g}", text, exact);
}

constexpr LocalCheck check_table[] = {
    {"random numbers", check_random_numbers},
    {"kernels", check_kernels},
    {"theory", check_theory},
    {"BLAS", check_blas},
    {"engines", check_engines},
    {"rows", digest_of_rows},
};

} // namespace

std::span<const LocalCheck> local_checks() { return check_table; }

sweep::Spec small_spec() {
    sweep::Spec spec;
    spec.model = relu_network();
    spec.width = {96, 512};
    spec.depth = {4, 12};
    spec.eta = {0.5, 1, 2};
    spec.seeds = 100;
    spec.first_seed = 20230510;
    return spec;
}

std::string digest_of_rows() {
    const plan::Plan plan(small_spec());
    const auto worker = trial::find_kind(plan.spec().trial).worker(plan, engine::default_weight_budget);
    std::vector<std::byte> bytes;
    for (std::uint64_t network = 0; network < plan.networks(); network += 40) {
        const auto record = worker->run(network);
        bytes.insert(bytes.end(), record.begin(), record.end());
    }
    return fmt::format("{:08x}", trial::checksum(bytes));
}

} // namespace etastar::selftest

#include "etastar/matrix/gaussian_record.hpp"
#include "etastar/random/normal.hpp"

#include "catch.hpp"
#include "matrix/kernels.hpp"
#include "reference.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

using namespace etastar;
using matrix::GaussianOracle;
using matrix::GaussianRecord;
using test::Matrix;
using test::Vector;

namespace {

Vector normals(std::size_t count, std::uint32_t which, std::uint64_t seed = 1) {
    std::vector<float> values(count);
    random::fill_normal(random::Stream({.seed = seed, .width = which}), 0, count, 1.0f, values.data());
    return {values.begin(), values.end()};
}

Matrix random_matrix(std::size_t rows, std::size_t cols, std::uint32_t which) {
    return {rows, cols, normals(rows * cols, which)};
}

// Answers for a matrix that is known, and keeps what it was asked.
template <class T>
class KnownMatrix final : public matrix::Oracle<T> {
public:
    explicit KnownMatrix(Matrix matrix) : matrix_(std::move(matrix)) {}

    void forward(std::uint64_t question, const T* q, T* answer) override {
        asked.emplace_back(q, q + matrix_.cols);
        questions.push_back(question);
        const auto y = matrix_.times(asked.back());
        std::copy(y.begin(), y.end(), answer);
    }
    void backward(std::uint64_t question, const T* q, T* answer) override {
        asked_backward.emplace_back(q, q + matrix_.rows);
        questions_backward.push_back(question);
        const auto y = matrix_.transposed_times(asked_backward.back());
        std::copy(y.begin(), y.end(), answer);
    }

    std::vector<Vector> asked, asked_backward;
    std::vector<std::uint64_t> questions, questions_backward;

private:
    Matrix matrix_;
};

// Training's kind of questions: P vectors forward, P backward and a step, over and over; against W itself.
struct Script {
    std::size_t rows, cols, vectors, rounds;
    std::vector<double> memories; // of the steps, over and over
};

template <class T>
double largest_error(const Script& script) {
    const auto& [rows, cols, vectors, rounds, memories] = script;
    Matrix w = random_matrix(rows, cols, 1);
    Matrix u{rows, cols, Vector(w.values.size())};
    KnownMatrix<T> oracle(w);
    GaussianRecord<T> record(rows, cols, vectors * rounds, vectors * rounds, oracle);
    double worst = 0;
    const auto compare = [&](const std::vector<T>& got, const Vector& expected, const Vector& asked) {
        double scale = 0;
        for (const double x : w.values) scale += x * x;
        scale = std::sqrt(scale * test::dot(asked, asked)) + std::numeric_limits<double>::min();
        for (std::size_t i = 0; i < got.size(); ++i) {
            const double error = std::abs(got[i] - expected[i]) / scale;
            worst = error <= worst ? worst : error;
        }
    };
    // A new vector, one that hardly differs from the last, a dead layer, or a repetition.
    std::uint32_t drawn = 10;
    const auto next = [&](std::size_t n, std::vector<Vector>& before) {
        Vector x = normals(n, ++drawn);
        if (drawn % 7 == 0) std::fill(x.begin(), x.end(), 0.0);
        if (drawn % 5 == 0 && !before.empty()) x = before[drawn % before.size()];
        if (drawn % 3 == 0 && !before.empty())
            for (std::size_t i = 0; i < n; ++i) x[i] = before.back()[i] + 1e-2 * x[i];
        for (double& each : x) each = static_cast<float>(each);
        before.push_back(x);
        return x;
    };
    std::vector<Vector> hs, ds;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<T> h, d, y(vectors * rows), x(vectors * cols);
        for (std::size_t p = 0; p < vectors; ++p) {
            const Vector a = next(cols, hs);
            const Vector b = next(rows, ds);
            h.insert(h.end(), a.begin(), a.end());
            d.insert(d.end(), b.begin(), b.end());
        }
        record.forward(vectors, h.data(), y.data());
        record.backward(vectors, d.data(), x.data());
        std::vector<double> factors;
        const double memory = memories[round % memories.size()];
        for (double& each : u.values) each *= memory;
        for (std::size_t p = 0; p < vectors; ++p) {
            const Vector& a = hs[hs.size() - vectors + p];
            const Vector& b = ds[ds.size() - vectors + p];
            compare({y.begin() + p * rows, y.begin() + (p + 1) * rows}, w.times(a), a);
            compare({x.begin() + p * cols, x.begin() + (p + 1) * cols}, w.transposed_times(b), b);
            factors.push_back(0.3 / (1 + static_cast<double>(p)) * (p % 2 == 0 ? 1 : -1)
                              / std::sqrt(static_cast<double>(rows * cols)));
            for (std::size_t i = 0; i < rows; ++i)
                for (std::size_t j = 0; j < cols; ++j) u.at(i, j) += factors[p] * b[i] * a[j];
        }
        for (std::size_t i = 0; i < w.values.size(); ++i) w.values[i] += u.values[i];
        record.step(factors, memory);
        CHECK(record.forward_rank() <= std::min(cols, hs.size()));
        CHECK(record.backward_rank() <= std::min(rows, ds.size()));
    }
    CHECK(oracle.asked.size() == record.forward_rank());
    CHECK(oracle.asked_backward.size() == record.backward_rank());
    return worst;
}

// The record in plain loops, with T's rounding of the panels; what is planted is left out.
enum class Planted { nothing, second_pass, known_part, fresh_part, both_parts };

template <class T>
class PlainRecord {
public:
    PlainRecord(std::size_t rows, std::size_t cols, matrix::Oracle<T>& oracle, Planted planted)
        : planted_(planted), oracle_(oracle), forward_{cols, rows, {}, {}}, backward_{rows, cols, {}, {}} {}

    Vector forward(const Vector& h) { return ask(forward_, backward_, h, true); }
    Vector backward(const Vector& d) { return ask(backward_, forward_, d, false); }

private:
    struct Side {
        std::size_t in, out;
        std::vector<Vector> basis, answers;
        std::uint64_t questions = 0;
    };

    static void round(Vector& x) {
        for (double& each : x) each = static_cast<T>(each);
    }
    static void add(double factor, const Vector& x, Vector& to) {
        for (std::size_t i = 0; i < x.size(); ++i) to[i] += factor * x[i];
    }

    Vector ask(Side& here, Side& there, Vector h, bool is_forward) {
        const std::uint64_t question = here.questions++;
        const double length = std::sqrt(test::dot(h, h));
        const std::size_t known = here.basis.size();
        Vector a(known);
        for (int pass = 0; pass < (planted_ == Planted::second_pass ? 1 : 2); ++pass) {
            Vector turned(known);
            for (std::size_t k = 0; k < known; ++k) turned[k] = static_cast<T>(test::dot(here.basis[k], h));
            for (std::size_t k = 0; k < known; ++k) add(-turned[k], here.basis[k], h);
            round(h);
            add(1, turned, a);
        }
        const double rest = std::sqrt(test::dot(h, h));
        if (known < here.in && rest > (sizeof(T) == 4 ? 1e-5 : 1e-13) * length) {
            for (double& each : h) each /= rest;
            round(h);
            const std::vector<T> q(h.begin(), h.end());
            std::vector<T> g(here.out);
            is_forward ? oracle_.forward(question, q.data(), g.data())
                       : oracle_.backward(question, q.data(), g.data());
            Vector y(g.begin(), g.end());
            for (std::size_t k = 0; k < there.basis.size(); ++k) {
                double factor = 0;
                if (planted_ != Planted::known_part && planted_ != Planted::both_parts)
                    factor += test::dot(there.answers[k], h);
                if (planted_ != Planted::fresh_part && planted_ != Planted::both_parts)
                    for (std::size_t i = 0; i < here.out; ++i) factor -= there.basis[k][i] * g[i];
                add(factor, there.basis[k], y);
            }
            round(y);
            here.basis.push_back(h);
            here.answers.push_back(y);
            a.push_back(rest);
        }
        Vector answer(here.out);
        for (std::size_t k = 0; k < a.size(); ++k) add(a[k], here.answers[k], answer);
        return answer;
    }

    Planted planted_;
    matrix::Oracle<T>& oracle_;
    Side forward_;
    Side backward_;
};

template <class T>
class RealRecord {
public:
    RealRecord(std::size_t rows, std::size_t cols, std::size_t questions, matrix::Oracle<T>& oracle)
        : rows_(rows), cols_(cols), record_(rows, cols, questions, questions, oracle) {}

    Vector forward(const Vector& h) {
        const std::vector<T> asked(h.begin(), h.end());
        std::vector<T> answer(rows_);
        record_.forward(1, asked.data(), answer.data());
        return {answer.begin(), answer.end()};
    }
    Vector backward(const Vector& d) {
        const std::vector<T> asked(d.begin(), d.end());
        std::vector<T> answer(cols_);
        record_.backward(1, asked.data(), answer.data());
        return {answer.begin(), answer.end()};
    }
    GaussianRecord<T>& record() { return record_; }

private:
    std::size_t rows_;
    std::size_t cols_;
    GaussianRecord<T> record_;
};

random::Stream stream_of(std::uint64_t seed, random::Role role) {
    return random::Stream({.seed = seed, .width = 1, .role = role});
}

// Adaptive questions, as training has them, then everything: W's entries by what it answers forward, and how far they are
// from those by what it answers backward.
struct Rebuilt {
    Vector entries;
    double difference = 0;
};

template <class Record>
Rebuilt rebuild(std::size_t rows, std::size_t cols, std::uint64_t seed, Record& record) {
    Vector h = normals(cols, 2, seed);
    for (int t = 0; t < 3; ++t) h = record.backward(test::relu(record.forward(h)));
    Rebuilt rebuilt;
    std::vector<Vector> columns;
    for (std::size_t j = 0; j < cols; ++j) {
        Vector e(cols);
        e[j] = 1;
        columns.push_back(record.forward(e));
        rebuilt.entries.insert(rebuilt.entries.end(), columns.back().begin(), columns.back().end());
    }
    for (std::size_t i = 0; i < rows; ++i) {
        Vector e(rows);
        e[i] = 1;
        const Vector row = record.backward(e);
        for (std::size_t j = 0; j < cols; ++j)
            rebuilt.difference = std::max(rebuilt.difference, std::abs(row[j] - columns[j][i]));
    }
    return rebuilt;
}

// z-scores of unit variance and of no correlation among the entries of many matrices.
struct Law {
    double variance = 0;
    double correlation = 0;
    double difference = 0;

    bool holds() const {
        return std::abs(variance) < 4.5 && std::abs(correlation) < 4.5 && difference < 1e-4;
    }
};

template <class Make>
Law law_of(std::size_t matrices, double variance, Make make_record) {
    constexpr std::size_t rows = 7;
    constexpr std::size_t cols = 8;
    constexpr std::size_t entries = rows * cols;
    Law law;
    double squares = 0;
    Vector products(entries * entries);
    for (std::size_t seed = 0; seed < matrices; ++seed) {
        GaussianOracle<float> oracle(rows, cols, variance, stream_of(seed, random::Role::forward),
                                     stream_of(seed, random::Role::backward));
        auto record = make_record(rows, cols, oracle);
        const auto rebuilt = rebuild(rows, cols, seed, record);
        law.difference = std::max(law.difference, rebuilt.difference);
        for (std::size_t i = 0; i < entries; ++i) {
            squares += rebuilt.entries[i] * rebuilt.entries[i];
            for (std::size_t j = 0; j < i; ++j)
                products[i * entries + j] += rebuilt.entries[i] * rebuilt.entries[j];
        }
    }
    const auto count = static_cast<double>(matrices * entries);
    law.variance = (squares - count) / std::sqrt(2 * count);
    constexpr double pairs = entries * (entries - 1) / 2.0;
    double chi2 = 0;
    for (const double sum : products) chi2 += sum * sum / static_cast<double>(matrices);
    law.correlation = (chi2 - pairs) / std::sqrt(2 * pairs);
    return law;
}

// Answers like its base, and keeps what it was asked.
class Listener final : public matrix::Oracle<float> {
public:
    explicit Listener(std::size_t n)
        : n_(n),
          base_(n, n, 1.0 / static_cast<double>(n), stream_of(1, random::Role::forward),
                stream_of(1, random::Role::backward)) {}

    void forward(std::uint64_t question, const float* q, float* answer) override {
        forward_asked.emplace_back(q, q + n_);
        base_.forward(question, q, answer);
    }
    void backward(std::uint64_t question, const float* q, float* answer) override {
        backward_asked.emplace_back(q, q + n_);
        base_.backward(question, q, answer);
    }

    std::vector<Vector> forward_asked, backward_asked;

private:
    std::size_t n_;
    GaussianOracle<float> base_;
};

// Of questions that hardly differ from those before: the largest entry of Q^T Q - 1 on either side, and of
// X^T Qh - Qd^T Y.
struct Drift {
    double orthogonality = 0;
    double consistency = 0;
};

template <class Record>
Drift drift_of(std::size_t n, std::size_t steps, Listener& oracle, Record& record) {
    Vector h = normals(n, 3);
    Vector d = normals(n, 4);
    for (std::uint32_t t = 0; t < steps; ++t) {
        const Vector y = record.forward(h);
        const Vector x = record.backward(d);
        const double length = std::sqrt(static_cast<double>(n));
        for (std::size_t i = 0; i < n; ++i) {
            h[i] += 1e-4 * length * x[i] / std::sqrt(test::dot(x, x));
            d[i] += 1e-4 * length * y[i] / std::sqrt(test::dot(y, y));
        }
        const Vector more_h = normals(n, 100 + t);
        const Vector more_d = normals(n, 1000 + t);
        for (std::size_t i = 0; i < n; ++i) {
            h[i] += 1e-4 * more_h[i];
            d[i] += 1e-4 * more_d[i];
        }
    }
    const auto qh = oracle.forward_asked;
    const auto qd = oracle.backward_asked;
    Drift drift;
    for (const auto* basis : {&qh, &qd})
        for (std::size_t i = 0; i < basis->size(); ++i)
            for (std::size_t j = 0; j <= i; ++j)
                drift.orthogonality =
                    std::max(drift.orthogonality, std::abs(test::dot((*basis)[i], (*basis)[j]) - (i == j)));
    std::vector<Vector> y, x;
    for (const auto& q : qh) y.push_back(record.forward(q));
    for (const auto& q : qd) x.push_back(record.backward(q));
    for (std::size_t i = 0; i < qd.size(); ++i)
        for (std::size_t j = 0; j < qh.size(); ++j)
            drift.consistency =
                std::max(drift.consistency, std::abs(test::dot(x[i], qh[j]) - test::dot(qd[i], y[j])));
    return drift;
}

template <class T>
std::vector<T> answers_with(const matrix::Kernels& kernels) {
    constexpr std::size_t rows = 1103;
    constexpr std::size_t cols = 1290;
    GaussianOracle<T> oracle(rows, cols, 1.0 / cols, stream_of(1, random::Role::forward),
                             stream_of(1, random::Role::backward));
    GaussianRecord<T> record(rows, cols, 40, 40, oracle, kernels);
    std::vector<T> all;
    std::uint32_t drawn = 0;
    for (const std::size_t vectors : {1, 2, 3, 5, 9}) {
        const auto h = normals(vectors * cols, ++drawn);
        const auto d = normals(vectors * rows, ++drawn);
        std::vector<T> y(vectors * rows), x(vectors * cols);
        record.forward(vectors, std::vector<T>(h.begin(), h.end()).data(), y.data());
        record.backward(vectors, std::vector<T>(d.begin(), d.end()).data(), x.data());
        record.step(std::vector<double>(vectors, -0.01), vectors > 1 ? 0.9 : 0);
        all.insert(all.end(), y.begin(), y.end());
        all.insert(all.end(), x.begin(), x.end());
    }
    return all;
}

} // namespace

TEST_CASE("a matrix that is never stored answers like the matrix that its oracle knows") {
    const std::pair<std::size_t, std::size_t> shapes[] = {{1, 1}, {2, 2},  {7, 7},    {64, 64},
                                                          {3, 1}, {1, 40}, {130, 17}, {20, 300}};
    for (const auto& [rows, cols] : shapes)
        for (const std::size_t vectors : {1, 2, 3})
            for (const auto& memories : {std::vector{0.0}, {0.9}, {0, 0, 0.9, 0.5}}) {
                INFO(rows << " x " << cols << ", P = " << vectors << ", memory " << memories.back());
                const Script script{rows, cols, vectors, 12, memories};
                CHECK(largest_error<double>(script) < 1e-12);
                CHECK(largest_error<float>(script) < 1e-5);
            }
    // Several blocks of a panel.
    CHECK(largest_error<double>({1100, 530, 2, 4, {0.9}}) < 1e-12);
    CHECK(largest_error<float>({1100, 1030, 5, 3, {0.9}}) < 1e-5);
}

TEST_CASE("vectors of one call that all but coincide are told apart as far as the precision goes") {
    constexpr std::size_t n = 50;
    const auto check = [&]<class T>(T, double distance, std::size_t rank) {
        const Matrix w = random_matrix(n, n, 1);
        KnownMatrix<T> oracle(w);
        GaussianRecord<T> record(n, n, 3, 3, oracle);
        const Vector a = normals(n, 2);
        const Vector b = normals(n, 3);
        std::vector<T> h;
        for (const double part : {0.0, 1.0, -1.0})
            for (std::size_t i = 0; i < n; ++i) h.push_back(static_cast<T>(a[i] + part * distance * b[i]));
        std::vector<T> y(3 * n);
        record.forward(3, h.data(), y.data());
        INFO("distance " << distance);
        CHECK(record.forward_rank() == rank);
        for (std::size_t p = 0; p < 3; ++p) {
            const Vector expected = w.times(Vector(h.begin() + p * n, h.begin() + (p + 1) * n));
            for (std::size_t i = 0; i < n; ++i)
                CHECK(std::abs(y[p * n + i] - expected[i]) < (sizeof(T) == 4 ? 2e-4 : 2e-11));
        }
        for (const auto& q : oracle.asked)
            for (const auto& other : oracle.asked)
                CHECK(std::abs(test::dot(q, other) - (&q == &other)) < (sizeof(T) == 4 ? 1e-6 : 1e-14));
    };
    // The sum of the last two is the first: the rank is 2, or 1 where all three are one.
    check(double{}, 1.0, 2);
    check(double{}, 1e-4, 2);
    check(double{}, 1e-9, 2);
    check(double{}, 0.0, 1);
    check(float{}, 1e-3, 2);
    check(float{}, 0.0, 1);
}

// z-scores beyond 4.5 have a chance of 7e-6.
TEST_CASE("more vectors in one call than there are dimensions are as good as those they depend on") {
    const auto check = []<class T>(T /*of the record*/, double bound) {
        for (const auto& [n, count] : {std::pair<std::size_t, std::size_t>{4, 13}, {6, 20}, {6, 9}})
            for (std::uint32_t seed = 0; seed < 400; ++seed) {
                // Hidden layers of a network of few inputs.
                const Matrix first = random_matrix(n, 4, 4 * seed);
                const Matrix second = random_matrix(n, n, 4 * seed + 3);
                const Matrix w = random_matrix(n, n, 4 * seed + 1);
                KnownMatrix<T> oracle(w);
                GaussianRecord<T> record(n, n, 2 * count, 0, oracle);
                std::vector<T> h;
                std::vector<T> y(2 * count * n);
                for (std::size_t p = 0; p < 2 * count; ++p) {
                    Vector x = normals(4, 4 * seed + 2, p);
                    for (double& each : x) each = each > 0 ? 1 : -1;
                    for (const double each : test::relu(second.times(test::relu(first.times(x)))))
                        h.push_back(static_cast<T>(each));
                }
                record.forward(count, h.data(), y.data());
                record.forward(count, h.data() + count * n, y.data() + count * n);
                double worst = 0;
                for (std::size_t p = 0; p < 2 * count; ++p) {
                    const Vector asked(h.begin() + p * n, h.begin() + (p + 1) * n);
                    const Vector expected = w.times(asked);
                    for (std::size_t i = 0; i < n; ++i) {
                        const double error = std::abs(y[p * n + i] - expected[i]);
                        worst = error <= worst ? worst : error;
                    }
                }
                INFO("n = " << n << ", " << count << " vectors, seed " << seed);
                CHECK(worst < bound);
            }
    };
    check(1.0, 1e-9);
    check(1.0f, 1e-3);
}

TEST_CASE("asked about everything, a matrix that is never stored has independent Gaussian entries") {
    const auto real = [](std::size_t rows, std::size_t cols, matrix::Oracle<float>& oracle) {
        return RealRecord<float>(rows, cols, 3 + std::max(rows, cols), oracle);
    };
    const auto planted = [](Planted what) {
        return [what](std::size_t rows, std::size_t cols, matrix::Oracle<float>& oracle) {
            return PlainRecord<float>(rows, cols, oracle, what);
        };
    };
    constexpr std::size_t matrices = 7000;
    const auto law = law_of(matrices, 1, real);
    CAPTURE(law.variance, law.correlation, law.difference);
    CHECK(law.holds());
    CHECK(law_of(500, 1, planted(Planted::nothing)).holds());
    // What is caught.
    CHECK_FALSE(law_of(matrices, 1.02, real).holds());
    CHECK_FALSE(law_of(500, 1, planted(Planted::known_part)).holds());
    CHECK_FALSE(law_of(500, 1, planted(Planted::fresh_part)).holds());
    CHECK_FALSE(law_of(500, 1, planted(Planted::both_parts)).holds());
}

TEST_CASE(
    "300 questions a side that hardly differ from one another do not spoil a record in single precision") {
    constexpr std::size_t n = 512;
    constexpr std::size_t steps = 300;
    Listener oracle(n);
    RealRecord<float> real(n, n, 2 * steps, oracle);
    const Drift drift = drift_of(n, steps, oracle, real);
    CHECK(oracle.forward_asked.size() == steps);
    CHECK(oracle.backward_asked.size() == steps);
    CHECK(real.record().forward_rank() == steps); // the basis itself brings nothing new
    CHECK(real.record().backward_rank() == steps);
    CHECK(drift.orthogonality < 5e-7);
    CHECK(drift.consistency < 1e-6);

    Listener again(n);
    PlainRecord<float> once(n, n, again, Planted::second_pass);
    CAPTURE(drift.orthogonality, drift.consistency);
    const Drift spoilt = drift_of(n, 100, again, once);
    CHECK(spoilt.orthogonality > 1e-2);
}

TEST_CASE("a matrix that is never stored has the same bits on every instruction set, and after a reset") {
    const auto check = [&]<class T>(T) {
        const auto expected = answers_with<T>(*matrix::supported_kernels().front());
        for (const auto* kernels : matrix::supported_kernels()) {
            INFO(kernels->isa);
            CHECK(test::same_bytes(answers_with<T>(*kernels), expected));
        }
    };
    check(float{});
    check(double{});

    constexpr std::size_t n = 70;
    GaussianOracle<float> oracle(n, n, 1, stream_of(1, random::Role::forward),
                                 stream_of(1, random::Role::backward));
    GaussianRecord<float> record(n, n, 4, 4, oracle);
    std::vector<std::vector<float>> answers;
    for (int run = 0; run < 2; ++run) {
        std::vector<float> h(2 * n, 0.0f);
        std::vector<float> y(2 * n);
        std::vector<float> x(2 * n);
        random::fill_normal(random::Stream(), 0, 2 * n, 1.0f, h.data());
        for (int step = 0; step < 2; ++step) {
            record.forward(2, h.data(), y.data());
            record.backward(2, y.data(), x.data());
            record.step(std::vector{0.1, -0.1}, 0.5);
            h = x;
        }
        answers.push_back(x);
        record.reset();
        CHECK(record.forward_rank() == 0);
    }
    CHECK(test::same_bytes(answers[0], answers[1]));
}

TEST_CASE("the Gaussian oracle reads its streams at the question's place") {
    constexpr std::size_t rows = 70;
    constexpr std::size_t cols = 130;
    const auto forward = stream_of(1, random::Role::forward);
    const auto backward = stream_of(1, random::Role::backward);
    std::vector<float> expected(rows), single(rows);
    std::vector<double> wide(rows);
    random::fill_normal(forward, 3 * rows, rows, 0.5f, expected.data());
    GaussianOracle<float>(rows, cols, 0.25, forward, backward).forward(3, nullptr, single.data());
    GaussianOracle<double>(rows, cols, 0.25, forward, backward).forward(3, nullptr, wide.data());
    CHECK(single == expected);
    CHECK(std::equal(wide.begin(), wide.end(), expected.begin()));
    expected.resize(cols);
    single.resize(cols);
    random::fill_normal(backward, 2 * cols, cols, 0.5f, expected.data());
    GaussianOracle<float>(rows, cols, 0.25, forward, backward).backward(2, nullptr, single.data());
    CHECK(single == expected);
}

TEST_CASE("what a record refuses, what is not finite, and what it counts") {
    constexpr std::size_t n = 4;
    Matrix one{n, n, Vector(n * n)};
    for (std::size_t i = 0; i < n; ++i) one.at(i, i) = 1;
    KnownMatrix<double> oracle(one);
    GaussianRecord<double> record(n, n, 6, 1, oracle);
    const Vector h{1, 2, 3, 4, 0, 0, 0, 0, 2, 0, 0, 0};
    Vector y(3 * n);
    record.forward(3, h.data(), y.data());
    CHECK(oracle.questions == std::vector<std::uint64_t>{0, 2});
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Catch::Approx(h[i]).margin(1e-14));
    const Vector bad{1, 1, NAN, 1, 0, 0, 1, 0};
    record.forward(2, bad.data(), y.data());
    CHECK(std::isnan(y[0]));
    CHECK(record.forward_rank() == 3); // the other vector of this call
    CHECK_THROWS_AS(record.step(std::vector{1.0}), std::length_error);
    CHECK_THROWS_AS(record.forward(2, h.data(), y.data()), std::length_error);
    record.forward(1, h.data(), y.data());
    CHECK(record.forward_rank() == 3);
    CHECK_THROWS_AS(record.forward(1, h.data(), y.data()), std::length_error);
    CHECK_THROWS_AS(record.backward(2, h.data(), y.data()), std::length_error);

    // 4 n words a question, and little else.
    const auto bytes = GaussianRecord<float>::bytes(1 << 16, 1 << 16, 100, 100, 1, false);
    CHECK(static_cast<double>(bytes) == Catch::Approx(4.0 * 4 * 65536 * 100).epsilon(0.02));
}

#pragma once

#include "etastar/random/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace etastar::matrix {

// Who answers what a random matrix W_0 of rows x cols is asked for the first time: W_0 q, or W_0^T q, for a unit q
// orthogonal to all that was asked on that side before. `question` numbers the vectors asked on that side, also those that
// brought nothing new.
template <class T>
class Oracle {
public:
    Oracle() = default;
    virtual ~Oracle() = default;
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    virtual void forward(std::uint64_t question, const T* q, T* answer) = 0;  // q: cols values, answer: rows
    virtual void backward(std::uint64_t question, const T* q, T* answer) = 0; // q: rows values, answer: cols
};

// A random W_0 of independent N(0, variance) entries: answers are fresh variates whatever is asked, those of question i
// at [i n, (i + 1) n) of the side's stream, n the length of an answer.
template <class T>
class GaussianOracle final : public Oracle<T> {
public:
    GaussianOracle(std::size_t rows, std::size_t cols, double variance, const random::Stream& forward,
                   const random::Stream& backward);

    void forward(std::uint64_t question, const T* q, T* answer) override;
    void backward(std::uint64_t question, const T* q, T* answer) override;

private:
    std::size_t rows_;
    std::size_t cols_;
    float deviation_;
    random::Stream forward_;
    random::Stream backward_;
};

struct Kernels;

// A matrix W = W_0 + Qd C Qh^T of rows x cols that is never stored [docs/science.md, "A matrix that is never stored"].
// W_0 is known by its answers alone, Y = W_0 Qh and X = W_0^T Qd, where the orthonormal columns of Qh and Qd span all
// vectors asked forward and backward so far. T is float or double; scalars and C are double. The same bits on every
// instruction set.
//
// A vector adds to the span if its distance from it exceeds 1e-5 (float) or 1e-13 (double) of its length. What is not finite
// adds nothing, but the answers of its call are not finite.
template <class T>
class GaussianRecord {
public:
    // At most so many vectors will be asked on either side. The oracle is kept by reference.
    GaussianRecord(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                   std::size_t backward_questions, Oracle<T>& oracle);
    // With kernels of another instruction set than the widest.
    GaussianRecord(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                   std::size_t backward_questions, Oracle<T>& oracle, const Kernels& kernels);
    ~GaussianRecord();
    GaussianRecord(GaussianRecord&&) noexcept;
    GaussianRecord& operator=(GaussianRecord&&) noexcept;
    GaussianRecord(const GaussianRecord&) = delete;
    GaussianRecord& operator=(const GaussianRecord&) = delete;

    // Nothing has been asked: another W_0. Memory is kept.
    void reset();

    // answer = W h, for `count` vectors back to back: h of cols values each, answer of rows. std::length_error beyond the
    // number of questions.
    void forward(std::size_t count, const T* h, T* answer);

    // answer = W^T d: d of rows values each, answer of cols.
    void backward(std::size_t count, const T* d, T* answer);

    // U = memory U + sum_p factors[p] d_p h_p^T, then W += U, with the h and d of the last questions on either side, as many
    // as there are factors. U is 0 at first. std::length_error where fewer have been asked.
    void step(std::span<const double> factors, double memory = 0);

    // Dimension of what has been asked: columns of Qh and of Qd.
    std::size_t forward_rank() const;
    std::size_t backward_rank() const;

    // At most, with `count` vectors a call; `memory`: steps have one.
    static std::size_t bytes(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                             std::size_t backward_questions, std::size_t count, bool memory);

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace etastar::matrix

#include "etastar/matrix/gaussian_record.hpp"

#include "etastar/random/normal.hpp"

#include "../aligned.hpp"
#include "kernels.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace etastar::matrix {

namespace {

using Values = std::vector<double>;

// Values of a vector that are treated at a time: a page of memory, so that several vectors are fetched ahead at once, those
// of a few hundred stay in the L2 cache, and sums in single precision are short.
template <class T>
constexpr std::size_t block_size = 4096 / sizeof(T);

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 1e-5 : 1e-13;

// Of two passes of Gram-Schmidt the second measures what is not orthogonal against vectors whose angle to one another must
// not be small, relative to their length.
constexpr double well_conditioned = 0.03;
// What the Gram matrix does not resolve of a vector's distance from those before it.
constexpr double resolved = 1e-6;
constexpr int most_passes = 5;
// What must be left of a unit vector in the last pass, or it was all rounding error.
constexpr double least_left = 0.5;

// Vectors of n values, a block of all of them after the other, each filled up with zeros to whole lines: what is read
// together stands together. Memory is touched when it is written.
template <class T>
class Panel {
public:
    Panel() = default;
    Panel(std::size_t n, std::size_t capacity)
        : padded_(aligned_count<T>(n)), capacity_(capacity), values_(allocate(padded_ * capacity)) {}

    std::size_t capacity() const { return capacity_; }
    std::size_t blocks() const { return (padded_ + block_size<T> - 1) / block_size<T>; }
    // Of a vector in one block, zeros included.
    std::size_t length(std::size_t block) const {
        return std::min(block_size<T>, padded_ - block * block_size<T>);
    }
    Columns<T> block(std::size_t block, std::size_t first, std::size_t count) const {
        const std::size_t stride = length(block);
        return {values_.get() + block * block_size<T> * capacity_ + first * stride, stride, count};
    }

private:
    struct Free {
        void operator()(T* values) const { AlignedAllocator<T>().deallocate(values, 0); }
    };
    using Memory = std::unique_ptr<T[], Free>;
    static Memory allocate(std::size_t count) {
        return Memory(count == 0 ? nullptr : AlignedAllocator<T>().allocate(count));
    }

    std::size_t padded_ = 0;
    std::size_t capacity_ = 0;
    Memory values_;
};

// A block of `count` vectors of n values each from where they stand back to back, and back.
template <class T>
void take_block(const T* from, std::size_t n, std::size_t block, const Columns<T>& to, std::size_t length) {
    const std::size_t first = block * block_size<T>;
    const std::size_t present = std::min(length, n - first);
    for (std::size_t p = 0; p < to.count; ++p) {
        std::copy_n(from + p * n + first, present, to[p]);
        std::fill_n(to[p] + present, length - present, T{});
    }
}

template <class T>
void give_block(const Columns<T>& from, std::size_t length, std::size_t block, std::size_t n, T* to) {
    const std::size_t first = block * block_size<T>;
    const std::size_t present = std::min(length, n - first);
    for (std::size_t p = 0; p < from.count; ++p) std::copy_n(from[p], present, to + p * n + first);
}

// Calls body(block) for all blocks. A sweep that goes the other way than the one before begins with what is still in cache.
template <class Body>
void sweep(std::size_t blocks, bool down, Body body) {
    for (std::size_t i = 0; i < blocks; ++i) body(down ? blocks - 1 - i : i);
}

// Small matrices by rows.
// a (n x inner) b (inner x m), added to `to`.
void add_product(const Values& a, const Values& b, std::size_t inner, std::size_t m, Values& to) {
    const std::size_t n = to.size() / std::max<std::size_t>(m, 1);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < inner; ++k)
            for (std::size_t j = 0; j < m; ++j) to[i * m + j] += a[i * inner + k] * b[k * m + j];
}

Values product(const Values& a, const Values& b, std::size_t n, std::size_t inner, std::size_t m) {
    Values result(n * m);
    add_product(a, b, inner, m, result);
    return result;
}

Values columns_of(const Values& a, std::size_t width, const std::vector<std::size_t>& which) {
    Values kept;
    for (std::size_t i = 0; i + width <= a.size(); i += width)
        for (const std::size_t j : which) kept.push_back(a[i + j]);
    return kept;
}

Values identity(std::size_t n) {
    Values one(n * n);
    for (std::size_t i = 0; i < n; ++i) one[i * n + i] = 1;
    return one;
}

// The inverse of an upper triangle.
Values inverse_of(const Values& r, std::size_t n) {
    Values inverse(n * n);
    for (std::size_t j = 0; j < n; ++j) {
        inverse[j * n + j] = 1 / r[j * n + j];
        for (std::size_t i = j; i-- > 0;) {
            double sum = 0;
            for (std::size_t k = i + 1; k <= j; ++k) sum += r[i * n + k] * inverse[k * n + j];
            inverse[i * n + j] = -sum / r[i * n + i];
        }
    }
    return inverse;
}

// V = V_kept R, V_kept of orthogonal columns times a triangle, from the products of V's m columns: columns of V that are
// kept, R (kept x m), and the least share of its length by which a kept one differs from those before it.
struct Factors {
    std::vector<std::size_t> kept;
    Values r;
    double condition = 1;

    Values triangle(std::size_t m) const { return columns_of(r, m, kept); }
};

// keep(j, distance): of column j from those kept before it.
template <class Keep>
Factors factorize(const Values& products, std::size_t m, std::size_t most, double least, Keep keep) {
    Factors f;
    Values& r = f.r;
    // Of those kept. What would be projected on them is rounding error, magnified.
    std::vector<bool> unresolved;
    for (std::size_t j = 0; j < m; ++j) {
        const std::size_t rank = f.kept.size();
        double left = products[j * m + j];
        for (std::size_t i = 0; i < rank; ++i) {
            double sum = products[f.kept[i] * m + j];
            for (std::size_t k = 0; k < i; ++k) sum -= r[k * m + f.kept[i]] * r[k * m + j];
            const double value = unresolved[i] ? 0 : sum / r[i * m + f.kept[i]];
            r[i * m + j] = value;
            left -= value * value;
        }
        const double length = std::sqrt(products[j * m + j]);
        const double distance = std::max(std::sqrt(std::max(left, 0.0)), least * length);
        if (rank == most || !std::isfinite(left) || !keep(j, distance)) continue;
        f.kept.push_back(j);
        unresolved.push_back(least > 0 && left <= least * length * (least * length));
        r.resize(f.kept.size() * m);
        r[rank * m + j] = distance;
        f.condition = std::min(f.condition, distance / length);
    }
    return f;
}

} // namespace

template <class T>
GaussianOracle<T>::GaussianOracle(std::size_t rows, std::size_t cols, double variance,
                                  const random::Stream& forward, const random::Stream& backward)
    : rows_(rows),
      cols_(cols),
      deviation_(static_cast<float>(std::sqrt(variance))),
      forward_(forward),
      backward_(backward) {}

template <class T>
void GaussianOracle<T>::forward(std::uint64_t question, const T* /*q*/, T* answer) {
    random::fill_normal(forward_, question * rows_, rows_, deviation_, answer);
}

template <class T>
void GaussianOracle<T>::backward(std::uint64_t question, const T* /*q*/, T* answer) {
    random::fill_normal(backward_, question * cols_, cols_, deviation_, answer);
}

template <class T>
class GaussianRecord<T>::State {
public:
    State(std::size_t rows, std::size_t cols, std::size_t forward_questions, std::size_t backward_questions,
          Oracle<T>& oracle, const Kernels& kernels)
        : loops_(kernels.of<T>()),
          wide_(kernels.of<double>()),
          oracle_(oracle),
          forward_(cols, rows, forward_questions),
          backward_(rows, cols, backward_questions),
          row_(aligned_count<double>(forward_.basis.capacity())),
          vector_(std::max(rows, cols)) {}

    void reset() {
        for (auto* matrix : {&change_, &velocity_})
            if (!matrix->empty()) std::fill_n(matrix->begin(), backward_.rank * row_, 0.0);
        changed_ = false;
        moving_ = false;
        last_factors_ = 0;
        forward_.reset();
        backward_.reset();
    }

    void forward(std::size_t count, const T* h, T* answer) { ask<true>(count, h, answer); }
    void backward(std::size_t count, const T* d, T* answer) { ask<false>(count, d, answer); }

    void step(std::span<const double> factors, double memory) {
        if (std::min(forward_.questions, backward_.questions) < factors.size())
            throw std::length_error("a step with more vectors than have been asked");
        if (change_.empty()) change_.resize(backward_.basis.capacity() * row_);
        if (memory != 0 && velocity_.empty()) velocity_.resize(change_.size());
        if (memory != 0 && !moving_) {
            moving_ = true;
            add_last(velocity_);
        }
        remember(factors);
        if (moving_) {
            const std::size_t used = backward_.rank * row_;
            for (std::size_t i = 0; i < used; ++i) velocity_[i] = memory == 0 ? 0 : memory * velocity_[i];
            add_last(velocity_);
            for (std::size_t i = 0; i < used; ++i) change_[i] += velocity_[i];
        } else {
            add_last(change_);
        }
        changed_ = true;
    }

    std::size_t forward_rank() const { return forward_.rank; }
    std::size_t backward_rank() const { return backward_.rank; }

private:
    // What has been asked on one side: orthonormal vectors, W_0's answers to them, and every question's coordinates.
    struct Side {
        Side(std::size_t in_, std::size_t out_, std::size_t most_)
            : in(in_),
              out(out_),
              most(most_),
              basis(in, std::min(most, in)),
              answers(out, std::min(most, in)) {
            coordinates.reserve(most * basis.capacity());
        }

        void reset() {
            rank = 0;
            questions = 0;
            coordinates.clear();
            starts.clear();
        }

        std::size_t in;
        std::size_t out;
        std::size_t most;
        Panel<T> basis;
        Panel<T> answers;
        Panel<T> work; // vectors on their way into the basis
        std::size_t rank = 0;
        std::size_t questions = 0;
        Values coordinates; // of a question: as many as the rank was then
        std::vector<std::size_t> starts;
    };

    std::size_t padded_row(std::size_t rank) const { return aligned_count<double>(rank); }

    template <bool Forward>
    void ask(std::size_t count, const T* h, T* answer) {
        Side& here = Forward ? forward_ : backward_;
        Side& there = Forward ? backward_ : forward_;
        if (count == 0) return;
        if (count > here.most - here.questions)
            throw std::length_error("more questions than the record was made for");
        const std::size_t first = here.questions;
        const std::size_t known = here.rank;
        const auto fresh = orthogonalize(here, there, count, h);
        here.questions += count;
        here.rank += fresh.kept.size();
        for (std::size_t p = 0; p < count; ++p) {
            here.starts.push_back(here.coordinates.size());
            for (std::size_t k = 0; k < here.rank; ++k)
                here.coordinates.push_back(fresh.coordinates[k * count + p]);
        }
        // The answers' own space: what has been asked from the other side is known there.
        const std::size_t added = fresh.kept.size();
        Values seen(there.rank * added);
        for (std::size_t j = 0; j < added; ++j) {
            for (std::size_t b = 0; b < here.basis.blocks(); ++b)
                give_block(here.basis.block(b, known + j, 1), here.basis.length(b), b, here.in,
                           vector_.data());
            T* const to = answer + j * here.out;
            if constexpr (Forward)
                oracle_.forward(first + fresh.kept[j], vector_.data(), to);
            else
                oracle_.backward(first + fresh.kept[j], vector_.data(), to);
        }
        if (added > 0)
            sweep(here.answers.blocks(), false, [&](std::size_t b) {
                const auto columns = here.answers.block(b, known, added);
                take_block(answer, here.out, b, columns, columns.stride);
                loops_.project(there.basis.block(b, 0, there.rank), columns, columns.stride, seen.data());
            });
        // Factors of the other side's basis: in the new answers of W_0, and in those of W.
        const std::size_t both = added + count;
        std::vector<T> across(there.rank * both);
        const Values changes = changed_ ? change_of<Forward>(count, fresh.coordinates) : Values();
        for (std::size_t k = 0; k < there.rank; ++k) {
            for (std::size_t j = 0; j < added; ++j)
                across[k * both + j] = static_cast<T>(fresh.crossed[k * added + j] - seen[k * added + j]);
            for (std::size_t p = 0; p < count && changed_; ++p)
                across[k * both + added + p] = static_cast<T>(changes[k * count + p]);
        }
        const std::vector<T> along(fresh.coordinates.begin(), fresh.coordinates.end());
        AlignedVector<T> block(both * block_size<T>);
        sweep(here.answers.blocks(), true, [&](std::size_t b) {
            const auto own = here.answers.block(b, known, added);
            const std::size_t length = here.answers.length(b);
            const Columns<T> all{block.data(), length, both};
            std::copy_n(own.values, added * length, all.values);
            std::fill_n(all[added], count * length, T{});
            loops_.combine(there.basis.block(b, 0, there.rank), across.data(), all, length);
            std::copy_n(all.values, added * length, own.values);
            const Columns<T> result{all[added], length, count};
            loops_.combine(here.answers.block(b, 0, here.rank), along.data(), result, length);
            give_block(result, length, b, here.out, answer);
        });
    }

    // The new basis vectors q of some questions.
    struct Fresh {
        std::vector<std::size_t> kept; // the question that each comes from
        Values coordinates;            // rank x count, of the questions in the basis and q
        Values crossed;                // the other side's answers times q
    };

    // h = Q along + W within with W orthogonal to Q and within itself at the end: block Gram-Schmidt, at least twice.
    Fresh orthogonalize(Side& here, const Side& there, std::size_t count, const T* h) {
        if (here.work.capacity() < count) here.work = Panel<T>(here.in, count);
        const auto basis = [&](std::size_t b) { return here.basis.block(b, 0, here.rank); };
        Values measured(here.rank * count);
        sweep(here.basis.blocks(), false, [&](std::size_t b) {
            const auto block = here.work.block(b, 0, count);
            take_block(h, here.in, b, block, block.stride);
            loops_.project(basis(b), block, block.stride, measured.data());
        });
        Values along = measured;
        Values within = identity(count);
        Values triangle;
        Values lengths(count); // of the questions
        Values scales(count, 1.0);
        Fresh fresh;
        fresh.kept.resize(count);
        std::iota(fresh.kept.begin(), fresh.kept.end(), 0);
        const std::size_t room = here.in - here.rank;
        bool last = false;
        for (int pass = 0; !fresh.kept.empty(); ++pass) {
            const std::size_t m = fresh.kept.size();
            const Values turned = pass == 0 ? measured : product(measured, triangle, here.rank, m, m);
            std::vector<T> factors(turned.size());
            for (std::size_t i = 0; i < turned.size(); ++i) factors[i] = static_cast<T>(-turned[i]);
            Values products(m * m);
            measured.assign((last ? there.rank : here.rank) * m, 0.0);
            sweep(here.basis.blocks(), pass % 2 == 0, [&](std::size_t b) {
                const auto block = here.work.block(b, 0, m);
                const std::size_t length = block.stride;
                if (pass > 0) loops_.transform(block, triangle.data(), length);
                loops_.combine(basis(b), factors.data(), block, length);
                loops_.products(block, length, products.data());
                loops_.project(last ? there.answers.block(b, 0, there.rank) : basis(b), block, length,
                               measured.data());
            });
            if (pass == 0)
                for (std::size_t p = 0; p < count; ++p) {
                    double squares = products[p * m + p];
                    for (std::size_t k = 0; k < here.rank; ++k)
                        squares += along[k * count + p] * along[k * count + p];
                    lengths[p] = std::sqrt(squares);
                }
            const auto f = factorize(
                products, m, last ? room : m, last ? 0 : resolved, [&](std::size_t j, double distance) {
                    return last ? distance > least_left
                                : distance * scales[j] > tolerance<T> * lengths[fresh.kept[j]];
                });
            if (!last) add_product(measured, within, m, count, along);
            within = product(f.r, within, f.kept.size(), m, count);
            measured = columns_of(measured, m, f.kept);
            const Values factor = f.triangle(m);
            keep(here, m, f.kept);
            std::vector<std::size_t> kept;
            Values kept_scales;
            for (std::size_t i = 0; i < f.kept.size(); ++i) {
                kept.push_back(fresh.kept[f.kept[i]]);
                kept_scales.push_back(scales[f.kept[i]] * factor[i * f.kept.size() + i]);
            }
            fresh.kept = kept;
            scales = kept_scales;
            triangle = inverse_of(factor, kept.size());
            if (last) break;
            last = f.condition > well_conditioned || pass + 1 == most_passes;
        }
        const std::size_t added = fresh.kept.size();
        for (std::size_t b = 0; b < here.basis.blocks() && added > 0; ++b) {
            const auto block = here.work.block(b, 0, added);
            loops_.transform(block, triangle.data(), block.stride);
            std::copy_n(block.values, added * block.stride, here.basis.block(b, here.rank, added).values);
        }
        fresh.crossed = product(measured, triangle, there.rank, added, added);
        fresh.coordinates = std::move(along);
        fresh.coordinates.insert(fresh.coordinates.end(), within.begin(), within.end());
        return fresh;
    }

    // Moves the columns that are kept of m to the front.
    static void keep(Side& here, std::size_t m, const std::vector<std::size_t>& kept) {
        if (kept.size() == m) return;
        for (std::size_t b = 0; b < here.work.blocks(); ++b) {
            const auto block = here.work.block(b, 0, m);
            for (std::size_t j = 0; j < kept.size(); ++j)
                if (j != kept[j]) std::copy_n(block[kept[j]], block.stride, block[j]);
        }
    }

    // C a, or C^T b where the questions are backward: rank on the other side x count.
    template <bool Forward>
    Values change_of(std::size_t count, const Values& coordinates) {
        const std::size_t length = padded_row(forward_.rank);
        Values rows(length * count);
        const Columns<double> matrix{change_.data(), row_, backward_.rank};
        const Columns<double> vectors{rows.data(), length, count};
        if constexpr (Forward) {
            for (std::size_t k = 0; k < forward_.rank; ++k)
                for (std::size_t p = 0; p < count; ++p) vectors[p][k] = coordinates[k * count + p];
            Values result(backward_.rank * count);
            wide_.project(matrix, vectors, length, result.data());
            return result;
        } else {
            wide_.combine(matrix, coordinates.data(), vectors, length);
            Values result(forward_.rank * count);
            for (std::size_t k = 0; k < forward_.rank; ++k)
                for (std::size_t p = 0; p < count; ++p) result[k * count + p] = vectors[p][k];
            return result;
        }
    }

    static std::span<const double> coordinates_of(const Side& side, std::size_t question) {
        const std::size_t start = side.starts[question];
        const std::size_t end =
            question + 1 < side.starts.size() ? side.starts[question + 1] : side.coordinates.size();
        return {side.coordinates.data() + start, end - start};
    }

    // Of the last questions: a by rows, and factors b with a row for every p.
    void remember(std::span<const double> factors) {
        last_factors_ = factors.size();
        last_rank_ = backward_.rank;
        last_length_ = padded_row(forward_.rank);
        last_a_.assign(last_factors_ * last_length_, 0.0);
        last_b_.assign(last_factors_ * last_rank_, 0.0);
        for (std::size_t p = 0; p < last_factors_; ++p) {
            const auto a = coordinates_of(forward_, forward_.questions - last_factors_ + p);
            const auto b = coordinates_of(backward_, backward_.questions - last_factors_ + p);
            std::copy(a.begin(), a.end(), last_a_.begin() + static_cast<std::ptrdiff_t>(p * last_length_));
            for (std::size_t k = 0; k < b.size(); ++k) last_b_[p * last_rank_ + k] = factors[p] * b[k];
        }
    }

    void add_last(AlignedVector<double>& matrix) {
        wide_.combine({last_a_.data(), last_length_, last_factors_}, last_b_.data(),
                      {matrix.data(), row_, last_rank_}, last_length_);
    }

    const Loops<T>& loops_;
    const Loops<double>& wide_;
    Oracle<T>& oracle_;
    Side forward_;  // Qh and Y
    Side backward_; // Qd and X
    std::size_t row_;
    std::vector<T> vector_;
    AlignedVector<double> change_;   // C: rows of row_ values for the columns of Qd
    AlignedVector<double> velocity_; // U likewise, from the first step on that has a memory
    bool changed_ = false;
    bool moving_ = false;
    // The last step: a and factors b.
    std::size_t last_factors_ = 0;
    std::size_t last_rank_ = 0;
    std::size_t last_length_ = 0;
    Values last_a_;
    Values last_b_;
};

template <class T>
GaussianRecord<T>::GaussianRecord(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                                  std::size_t backward_questions, Oracle<T>& oracle)
    : GaussianRecord(rows, cols, forward_questions, backward_questions, oracle, widest_kernels()) {}

template <class T>
GaussianRecord<T>::GaussianRecord(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                                  std::size_t backward_questions, Oracle<T>& oracle, const Kernels& kernels)
    : state_(std::make_unique<State>(rows, cols, forward_questions, backward_questions, oracle, kernels)) {}

template <class T>
GaussianRecord<T>::~GaussianRecord() = default;
template <class T>
GaussianRecord<T>::GaussianRecord(GaussianRecord&&) noexcept = default;
template <class T>
GaussianRecord<T>& GaussianRecord<T>::operator=(GaussianRecord&&) noexcept = default;

template <class T>
void GaussianRecord<T>::reset() {
    state_->reset();
}

template <class T>
void GaussianRecord<T>::forward(std::size_t count, const T* h, T* answer) {
    state_->forward(count, h, answer);
}

template <class T>
void GaussianRecord<T>::backward(std::size_t count, const T* d, T* answer) {
    state_->backward(count, d, answer);
}

template <class T>
void GaussianRecord<T>::step(std::span<const double> factors, double memory) {
    state_->step(factors, memory);
}

template <class T>
std::size_t GaussianRecord<T>::forward_rank() const {
    return state_->forward_rank();
}

template <class T>
std::size_t GaussianRecord<T>::backward_rank() const {
    return state_->backward_rank();
}

template <class T>
std::size_t GaussianRecord<T>::bytes(std::size_t rows, std::size_t cols, std::size_t forward_questions,
                                     std::size_t backward_questions, std::size_t count, bool memory) {
    const std::size_t forward = std::min(forward_questions, cols);
    const std::size_t backward = std::min(backward_questions, rows);
    const std::size_t both = aligned_count<T>(rows) + aligned_count<T>(cols);
    const std::size_t panels = (forward + backward + count) * both + std::max(rows, cols);
    // C, U and the coordinates of every question.
    const std::size_t matrix = aligned_count<double>(forward) * backward;
    const std::size_t coordinates = forward * forward_questions + backward * backward_questions;
    return panels * sizeof(T) + (matrix * (memory ? 2 : 1) + coordinates) * sizeof(double);
}

template class GaussianOracle<float>;
template class GaussianOracle<double>;
template class GaussianRecord<float>;
template class GaussianRecord<double>;

} // namespace etastar::matrix

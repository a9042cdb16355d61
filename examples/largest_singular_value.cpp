// The largest singular value of a Gaussian matrix that nobody could store: of 2^20 x 2^20 entries N(0, 1/cols), which would
// take 4 TiB, in seconds and half a gigabyte.
//
// Golub-Kahan bidiagonalisation [Golub and Van Loan, Matrix Computations, 10.4.1] needs one product with W and one with W^T
// a step. matrix::GaussianRecord answers both, exactly in law: whatever vectors are asked, answers are distributed as those
// of one matrix of independent Gaussian entries would be. After k steps the largest singular value of the bidiagonal
// matrix
//
//     alpha_1  beta_1
//              alpha_2  beta_2
//                       ...
//
// is a lower bound for that of W, which for wide matrices is sqrt(variance) (sqrt(rows) + sqrt(cols)) up to a relative
// fluctuation of order rows^(-2/3) [Marchenko and Pastur 1967; Johnstone 2001]. The bound comes from below as 1/k^2: alpha
// and beta are close to sqrt(variance rows) and sqrt(variance cols), so that it is nearly
// sqrt(variance (rows + cols + 2 sqrt(rows cols) cos(pi / (k + 1)))).
//
//     largest_singular_value [ROWS [COLS [STEPS [SEED]]]]      2^20, ROWS, 30, 0
#include "etastar/matrix/gaussian_record.hpp"
#include "etastar/random/normal.hpp"
#include "etastar/random/stream.hpp"

#include <Eigen/Eigenvalues>
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace etastar;

double norm(const std::vector<float>& x) {
    double sum = 0;
    for (const float each : x) sum += double{each} * each;
    return std::sqrt(sum);
}

void scale(std::vector<float>& x, double factor) {
    for (float& each : x) each = static_cast<float>(factor * each);
}

// to = from - factor to
void subtract_from(const std::vector<float>& from, double factor, std::vector<float>& to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(from[i] - factor * to[i]);
}

// Of the bidiagonal matrix: alpha on the diagonal, beta above it.
double largest_singular_value(const std::vector<double>& alpha, const std::vector<double>& beta) {
    const auto n = static_cast<Eigen::Index>(alpha.size());
    Eigen::VectorXd diagonal(n);
    Eigen::VectorXd above(n - 1);
    for (Eigen::Index i = 0; i < n; ++i) {
        const auto k = static_cast<std::size_t>(i);
        diagonal[i] = alpha[k] * alpha[k] + (k > 0 ? beta[k - 1] * beta[k - 1] : 0);
        if (i + 1 < n) above[i] = alpha[k] * beta[k];
    }
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
    solver.computeFromTridiagonal(diagonal, above, Eigen::EigenvaluesOnly);
    return std::sqrt(solver.eigenvalues().maxCoeff());
}

std::uint64_t argument(int count, char** values, int which, std::uint64_t otherwise) {
    return which < count ? std::stoull(values[which]) : otherwise;
}

void run(std::size_t rows, std::size_t cols, std::size_t steps, std::uint64_t seed) {
    if (rows == 0 || cols == 0 || steps == 0) throw std::invalid_argument("no rows, columns or steps");
    const double variance = 1 / static_cast<double>(cols);
    const auto stream = [&](random::Role role) { return random::Stream({.seed = seed, .role = role}); };
    matrix::GaussianOracle<float> oracle(rows, cols, variance, stream(random::Role::forward),
                                         stream(random::Role::backward));
    matrix::GaussianRecord<float> record(rows, cols, steps, steps, oracle);
    const double theory = std::sqrt(variance) * (std::sqrt(rows) + std::sqrt(cols));
    fmt::print("{} x {}: theory {:.6f}; {:.3g} GiB instead of {:.3g}\n", rows, cols, theory,
               static_cast<double>(matrix::GaussianRecord<float>::bytes(rows, cols, steps, steps, 1, false))
                   / std::pow(2, 30),
               static_cast<double>(rows) * static_cast<double>(cols) * sizeof(float) / std::pow(2, 30));

    // v: a right vector, u: a left one; w and z: what W makes of them.
    std::vector<float> v(cols);
    std::vector<float> u(rows);
    std::vector<float> w(rows);
    std::vector<float> z(cols);
    random::fill_normal(stream(random::Role::input), 0, cols, 1.0f, v.data());
    scale(v, 1 / norm(v));
    std::vector<double> alpha;
    std::vector<double> beta;
    double value = 0;
    for (std::size_t k = 1; k <= steps; ++k) {
        record.forward(1, v.data(), w.data());
        subtract_from(w, k > 1 ? beta.back() : 0, u);
        alpha.push_back(norm(u));
        scale(u, 1 / alpha.back());
        value = largest_singular_value(alpha, beta);
        if ((k & (k - 1)) == 0 || k == steps)
            fmt::print("  after {:4} steps {:.6f}, over theory {:.5f}\n", k, value, value / theory);
        record.backward(1, u.data(), z.data());
        subtract_from(z, alpha.back(), v);
        beta.push_back(norm(v));
        // The span is full.
        if (k == std::min(rows, cols) || beta.back() <= std::numeric_limits<float>::epsilon() * value) break;
        scale(v, 1 / beta.back());
    }
    fmt::print("largest singular value {:.6f}, over theory {:.5f}\n", value, value / theory);
}

} // namespace

int main(int count, char** values) {
    try {
        const auto rows = argument(count, values, 1, std::uint64_t{1} << 20);
        run(rows, argument(count, values, 2, rows), argument(count, values, 3, 30),
            argument(count, values, 4, 0));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "largest_singular_value [ROWS [COLS [STEPS [SEED]]]]: {}\n", error.what());
        return 2;
    }
}

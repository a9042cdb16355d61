#pragma once

#include "blas_library.hpp"
#include "blas_turns.hpp"

#include <cstddef>

// The BLAS's products, for either precision.
namespace etastar::engine {

inline BlasInt blas_int(std::size_t size) { return static_cast<BlasInt>(size); }

// y = beta y + op(A) x for row-major A of rows x cols.
inline void gemv(CBLAS_TRANSPOSE op, std::size_t rows, std::size_t cols, const float* a, const float* x,
                 float beta, float* y) {
    const BlasTurn turn;
    blas_library().sgemv(CblasRowMajor, op, blas_int(rows), blas_int(cols), 1.0f, a, blas_int(cols), x, 1,
                         beta, y, 1);
}
inline void gemv(CBLAS_TRANSPOSE op, std::size_t rows, std::size_t cols, const double* a, const double* x,
                 double beta, double* y) {
    const BlasTurn turn;
    blas_library().dgemv(CblasRowMajor, op, blas_int(rows), blas_int(cols), 1.0, a, blas_int(cols), x, 1,
                         beta, y, 1);
}

// C = beta C + op(A) op(B), row-major, C of rows x cols. Rows begin `stride` values apart.
inline void gemm(CBLAS_TRANSPOSE op_a, CBLAS_TRANSPOSE op_b, std::size_t rows, std::size_t cols,
                 std::size_t inner, const float* a, std::size_t a_stride, const float* b,
                 std::size_t b_stride, float beta, float* c, std::size_t c_stride) {
    const BlasTurn turn;
    blas_library().sgemm(CblasRowMajor, op_a, op_b, blas_int(rows), blas_int(cols), blas_int(inner), 1.0f, a,
                         blas_int(a_stride), b, blas_int(b_stride), beta, c, blas_int(c_stride));
}
inline void gemm(CBLAS_TRANSPOSE op_a, CBLAS_TRANSPOSE op_b, std::size_t rows, std::size_t cols,
                 std::size_t inner, const double* a, std::size_t a_stride, const double* b,
                 std::size_t b_stride, double beta, double* c, std::size_t c_stride) {
    const BlasTurn turn;
    blas_library().dgemm(CblasRowMajor, op_a, op_b, blas_int(rows), blas_int(cols), blas_int(inner), 1.0, a,
                         blas_int(a_stride), b, blas_int(b_stride), beta, c, blas_int(c_stride));
}

// y = A x.
template <class T>
void gemv(std::size_t rows, std::size_t cols, const T* a, const T* x, T* y) {
    gemv(CblasNoTrans, rows, cols, a, x, T{0}, y);
}

// y += A^T x.
template <class T>
void gemv_transposed(std::size_t rows, std::size_t cols, const T* a, const T* x, T* y) {
    gemv(CblasTrans, rows, cols, a, x, T{1}, y);
}

// C = A B for A of rows x inner, its rows back to back; those of B and of C begin `stride` values apart.
template <class T>
void gemm(std::size_t rows, std::size_t cols, std::size_t inner, const T* a, const T* b, T* c,
          std::size_t stride) {
    gemm(CblasNoTrans, CblasNoTrans, rows, cols, inner, a, inner, b, stride, T{0}, c, stride);
}

// C = A B^T for B of cols x inner.
template <class T>
void gemm_transposed(std::size_t rows, std::size_t cols, std::size_t inner, const T* a, std::size_t a_stride,
                     const T* b, std::size_t b_stride, T* c, std::size_t c_stride) {
    gemm(CblasNoTrans, CblasTrans, rows, cols, inner, a, a_stride, b, b_stride, T{0}, c, c_stride);
}

// C += A B.
template <class T>
void gemm_add(std::size_t rows, std::size_t cols, std::size_t inner, const T* a, std::size_t a_stride,
              const T* b, std::size_t b_stride, T* c, std::size_t c_stride) {
    gemm(CblasNoTrans, CblasNoTrans, rows, cols, inner, a, a_stride, b, b_stride, T{1}, c, c_stride);
}

// C += sum_p a_p b_p^T for `count` vectors back to back, of `rows` and of `cols` values.
template <class T>
void add_outer(std::size_t rows, std::size_t cols, std::size_t count, const T* a, const T* b, T* c) {
    gemm(CblasTrans, CblasNoTrans, rows, cols, count, a, rows, b, cols, T{1}, c, cols);
}

} // namespace etastar::engine

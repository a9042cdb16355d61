#pragma once

#include "blas_library.hpp"

#include <cstddef>

// The BLAS's products, for either precision.
namespace etastar::engine {

inline blasint blas_int(std::size_t size) { return static_cast<blasint>(size); }

// y = A x for row-major A of rows x cols.
inline void gemv(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    blas_library().sgemv(CblasRowMajor, CblasNoTrans, blas_int(rows), blas_int(cols), 1.0f, a, blas_int(cols),
                         x, 1, 0.0f, y, 1);
}
inline void gemv(std::size_t rows, std::size_t cols, const double* a, const double* x, double* y) {
    blas_library().dgemv(CblasRowMajor, CblasNoTrans, blas_int(rows), blas_int(cols), 1.0, a, blas_int(cols),
                         x, 1, 0.0, y, 1);
}

// y += A^T x.
inline void gemv_transposed(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    blas_library().sgemv(CblasRowMajor, CblasTrans, blas_int(rows), blas_int(cols), 1.0f, a, blas_int(cols),
                         x, 1, 1.0f, y, 1);
}
inline void gemv_transposed(std::size_t rows, std::size_t cols, const double* a, const double* x, double* y) {
    blas_library().dgemv(CblasRowMajor, CblasTrans, blas_int(rows), blas_int(cols), 1.0, a, blas_int(cols), x,
                         1, 1.0, y, 1);
}

// C = A B for row-major A of rows x inner and B of inner x cols. Rows of B and of C begin `stride` values apart.
inline void gemm(std::size_t rows, std::size_t cols, std::size_t inner, const float* a, const float* b,
                 float* c, std::size_t stride) {
    blas_library().sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0f, a, blas_int(inner), b, blas_int(stride), 0.0f, c,
                         blas_int(stride));
}
inline void gemm(std::size_t rows, std::size_t cols, std::size_t inner, const double* a, const double* b,
                 double* c, std::size_t stride) {
    blas_library().dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0, a, blas_int(inner), b, blas_int(stride), 0.0, c,
                         blas_int(stride));
}

// C = A B^T for row-major A of rows x inner, B of cols x inner and C of rows x cols, whose rows begin so many values apart.
inline void gemm_transposed(std::size_t rows, std::size_t cols, std::size_t inner, const float* a,
                            std::size_t a_stride, const float* b, std::size_t b_stride, float* c,
                            std::size_t c_stride) {
    blas_library().sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0f, a, blas_int(a_stride), b, blas_int(b_stride), 0.0f, c,
                         blas_int(c_stride));
}
inline void gemm_transposed(std::size_t rows, std::size_t cols, std::size_t inner, const double* a,
                            std::size_t a_stride, const double* b, std::size_t b_stride, double* c,
                            std::size_t c_stride) {
    blas_library().dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0, a, blas_int(a_stride), b, blas_int(b_stride), 0.0, c,
                         blas_int(c_stride));
}

// C += A B for row-major A of rows x inner and B of inner x cols.
inline void gemm_add(std::size_t rows, std::size_t cols, std::size_t inner, const float* a,
                     std::size_t a_stride, const float* b, std::size_t b_stride, float* c,
                     std::size_t c_stride) {
    blas_library().sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0f, a, blas_int(a_stride), b, blas_int(b_stride), 1.0f, c,
                         blas_int(c_stride));
}
inline void gemm_add(std::size_t rows, std::size_t cols, std::size_t inner, const double* a,
                     std::size_t a_stride, const double* b, std::size_t b_stride, double* c,
                     std::size_t c_stride) {
    blas_library().dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(inner), 1.0, a, blas_int(a_stride), b, blas_int(b_stride), 1.0, c,
                         blas_int(c_stride));
}

// C += sum_p a_p b_p^T for `count` vectors back to back, of `rows` and of `cols` values; C is rows x cols, row-major.
inline void add_outer(std::size_t rows, std::size_t cols, std::size_t count, const float* a, const float* b,
                      float* c) {
    blas_library().sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(count), 1.0f, a, blas_int(rows), b, blas_int(cols), 1.0f, c,
                         blas_int(cols));
}
inline void add_outer(std::size_t rows, std::size_t cols, std::size_t count, const double* a, const double* b,
                      double* c) {
    blas_library().dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(rows), blas_int(cols),
                         blas_int(count), 1.0, a, blas_int(rows), b, blas_int(cols), 1.0, c, blas_int(cols));
}

} // namespace etastar::engine

/* vec_transpose_x86.h: 8 x 8 floats and 4 x 4 doubles transposed, for the vectors of AVX2 and
 * AVX-512. */
#ifndef SW_VEC_TRANSPOSE_X86_H
#define SW_VEC_TRANSPOSE_X86_H

#include <immintrin.h>
#include <stdint.h>

/* rows 4 h ... 4 h + 3 of the lower (or upper) half of the columns: of two such quarters, which
 * lie in the two lanes of a register, columns become rows */
static inline void transpose_half(const float *from, int64_t ld, float *to, int64_t to_ld) {
  __m256 r[4];
  for (int i = 0; i < 4; i++)
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * ld)),
                                _mm_loadu_ps(from + (i + 4) * ld), 1);
  const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
  _mm256_storeu_ps(to, _mm256_shuffle_ps(a, c, 0x44));
  _mm256_storeu_ps(to + to_ld, _mm256_shuffle_ps(a, c, 0xEE));
  _mm256_storeu_ps(to + 2 * to_ld, _mm256_shuffle_ps(b, d, 0x44));
  _mm256_storeu_ps(to + 3 * to_ld, _mm256_shuffle_ps(b, d, 0xEE));
}

static inline void transpose_8x8(const float *from, int64_t ld, float *to, int64_t to_ld) {
  transpose_half(from, ld, to, to_ld);
  transpose_half(from + 4, ld, to + 4 * to_ld, to_ld);
}

/* Two columns of four rows are in the two lanes of a register. */
static inline void transpose_pair(const double *from, int64_t ld, double *to, int64_t to_ld) {
  const __m256d even = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(from)),
                                            _mm_loadu_pd(from + 2 * ld), 1);
  const __m256d odd = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(from + ld)),
                                           _mm_loadu_pd(from + 3 * ld), 1);
  _mm256_storeu_pd(to, _mm256_unpacklo_pd(even, odd));
  _mm256_storeu_pd(to + to_ld, _mm256_unpackhi_pd(even, odd));
}

static inline void transpose_4x4(const double *from, int64_t ld, double *to, int64_t to_ld) {
  transpose_pair(from, ld, to, to_ld);
  transpose_pair(from + 2, ld, to + 2 * to_ld, to_ld);
}

#endif

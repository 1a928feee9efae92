/* kernels_int.h: the tables of kernels, two for each instruction set.
 *
 * Kernels know raw pointers and sizes, nothing else. A table is for one element type, `real`: float
 * in the f32 tables, double in the f64 ones. Pointers to real are void here so that the same op
 * code serves both. Sizes are counts of elements; any size from 0 on, any alignment. y may be the
 * same as any input of an elementwise kernel, never a part of it.
 * Bits depend on the variant and on nothing else: no kernel looks at alignment or threads.
 */
#ifndef SW_KERNELS_INT_H
#define SW_KERNELS_INT_H

#include "base/ahead_int.h"
#include "base/context.h"

/* Bytes of work space that the caller gives a product or a convolution, aligned to 64: copies of
 * blocks, tables of pointers. Their content before a call does not matter. */
enum { SWI_PRODUCT_WORK = 640 << 10, SWI_CONVOLUTION_WORK = 896 << 10 };

/* SWI_UNARY_neg, … and SWI_BINARY_add, …: see elementwise.def. */
typedef enum swi_unary {
#define UNARY(name, f) SWI_UNARY_##name,
#define BINARY(name, f)
#include "kernels/elementwise.def"
  SWI_UNARY_COUNT
} swi_unary;

typedef enum swi_binary {
#define UNARY(name, f)
#define BINARY(name, f) SWI_BINARY_##name,
#include "kernels/elementwise.def"
  SWI_BINARY_COUNT
} swi_binary;

typedef void (*swi_unary_kernel)(int64_t n, const void *x, void *y);
typedef void (*swi_binary_kernel)(int64_t n, const void *a, const void *b, void *y);

/* f(a[i], b[i]), f(a[i], *b), f(*a, b[i]) */
typedef struct swi_binary_kernels {
  swi_binary_kernel vv, vs, sv;
} swi_binary_kernels;

typedef enum swi_optimizer {
#define OPTIMIZER(name) SWI_OPTIMIZER_##name,
#include "kernels/optimizers.def"
  SWI_OPTIMIZER_COUNT
} swi_optimizer;

/* What an update needs to know, whatever the optimizer. */
typedef struct swi_update {
  double lr, momentum, weight_decay;
  double dampening, beta2, eps;
  int nesterov;
  double grad_scale; /* multiplies the gradient: 1, or the factor of clipping */
  int64_t step;      /* this one's number, from 1 */
  int first;         /* the moments hold nothing yet and are not read */
} swi_update;

/* C = act(op(A) op(B) + bias), or C += op(A) op(B) */
typedef struct swi_product {
  int64_t m, n, k;
  const void *a;
  int64_t row_step, k_step; /* A's element (i, p) is at a[i row_step + p k_step] */
  const void *b;
  int64_t ldb;
  int transpose_b; /* B is stored n x k */
  void *c;
  int64_t ldc;
  int accumulate;
  const void *bias; /* n elements or NULL */
  int relu;
  void *work; /* SWI_PRODUCT_WORK bytes, for gemm_packed */
} swi_product;

/* y = act(w * x + bias), images NHWC, weights (outputs, kernel, kernel, channels / groups). Pairs
 * are (of rows, of columns). Output pixel i sees  i stride - padding + j dilation,  j = 0 … kernel
 * - 1, and zeros outside of the image. */
typedef struct swi_convolution {
  int64_t images, channels, outputs, groups;
  int64_t size[2], out_size[2]; /* height and width of images and of results */
  int64_t kernel[2], stride[2], padding[2], dilation[2];
  void *x, *w, *y;  /* one of the three is written, the others read */
  const void *bias; /* conv2d: outputs elements or NULL */
  int relu;         /* conv2d */
  void *squares;    /* conv2d_weight: one an image, or NULL */
  /* Where conv_panel > 0. Of conv2d_weight: which of the conv2d_weight_panels of the weights. */
  int64_t first_panel, end_panel;
  void *scratch; /* packed weights, or squares: panels x images */
  void *work;    /* SWI_CONVOLUTION_WORK bytes */
} swi_convolution;

/* Rows of channels to be normalised: element (i, j) is at [i ld + j]. cols: at most SWI_NORM_COLS.
 * d means x - mean, channel by channel. */
enum { SWI_NORM_COLS = 256 };

typedef struct swi_norm {
  int64_t rows, cols, ld;
  const void *x, *c, *u;                /* c and u: cotangents; may be NULL */
  const void *mean;                     /* cols elements, as the following */
  const void *gate_factor, *gate_shift; /* NULL, or: c counts only where d factor + shift > 0 */
} swi_norm;

/* The sums over rows of c, c d, u, u d, u c. */
enum { SWI_SUM_C, SWI_SUM_CX, SWI_SUM_U, SWI_SUM_UX, SWI_SUM_UC, SWI_NORM_SUMS };

typedef struct swi_norm_factors {
  const void *of_u, *of_c; /* NULL: u, c do not count */
  const void *of_x, *shift;
} swi_norm_factors;

/* A pool's windows over one image (height, width, channels), as those of sw_window: pairs are (of
 * rows, of columns). The taps of a window are numbered by rows, from 0. */
typedef struct swi_pool {
  int64_t channels;
  int64_t size[2], out_size[2];
  int64_t kernel[2], stride[2], padding[2], dilation[2];
} swi_pool;

typedef struct swi_kernels {
  const char *name;  /* "scalar", "avx2", "avx512", "neon" */
  int element_bytes; /* sizeof(real) */

  swi_unary_kernel unary[SWI_UNARY_COUNT];
  swi_binary_kernels binary[SWI_BINARY_COUNT];
  void (*where)(int64_t n, const void *mask, const void *a, const void *b,
                void *y); /* mask != 0 ? a : b */

  void (*fill)(int64_t n, double value, void *y);
  void (*scale)(int64_t n, double c, const void *x, void *y); /* y = c x */
  void (*axpy)(int64_t n, double a, const void *x, void *y);  /* y += a x */
  void (*lerp)(int64_t n, double t, const void *x, void *y);  /* y += t (x - y) */
  /* lerp of the exact sum y + carry, |carry| at most half a unit of y's last digit */
  void (*lerp_carry)(int64_t n, double t, const void *x, void *y, void *carry);

  /* y[i] = word i of Philox at (key, counter …) < threshold ? 0 : kept; its order of words is that
   * of body_mask.h. Up to n / 4 counters from counter[0] on are used. */
  void (*keep_mask)(int64_t n, const uint32_t key[2], const uint32_t counter[4], uint32_t threshold,
                    double kept, void *y);

  /* reductions: one fixed order of additions for each n */
  double (*sum)(int64_t n, const void *x);
  double (*dot)(int64_t n, const void *a, const void *b); /* sum of a[i] b[i] */
  double (*max)(int64_t n, const void *x);                /* n >= 1; NaN if any is */
  int64_t (*argmax)(int64_t n, const void *x); /* first of the largest; first NaN if any */
  void (*sum_rows)(int64_t rows, int64_t cols, const void *x, void *y); /* y[r] = sum over c */
  void (*sum_cols)(int64_t rows, int64_t cols, const void *x, void *y); /* y[c] = sum over r */
  void (*sumsq_rows)(int64_t rows, int64_t cols, const void *x,
                     void *y); /* y[r] = sum of squares */

  /* y of x and w; x of y and w, the derivative in x: pixels in no window get 0; w of x and y, the
   * derivative in w: each image's share is summed first, then images are added in order, and
   * squares[i] is the sum of the squares of image i's share. With a conv_panel the first two read
   * packed weights from scratch; conv2d_weight computes the panels first_panel … end_panel - 1,
   * writes each panel's squares to scratch instead, and needs at least one image.
   * Some kernels leave out terms outside of the image, others multiply by zeros: they differ where
   * an operand is not finite. */
  int conv_panel; /* 0: no scratch, nothing packed, all of the weights at once */
  void (*conv2d_pack)(const swi_convolution *c); /* w into scratch, for the next one */
  void (*conv2d_input_pack)(const swi_convolution *c);
  int64_t (*conv2d_weight_panels)(const swi_convolution *c);
  void (*conv2d)(const swi_convolution *c);
  void (*conv2d_input)(const swi_convolution *c);
  void (*conv2d_weight)(const swi_convolution *c);

  /* rows of a softmax, and of its logarithm; the cross-entropy with class indices: loss[r] = log
   * sum exp - x[r][label[r]], labels must have been checked; that with probabilities: loss[r] = sum
   * of q (log sum exp - x) where q is not 0. prob may be NULL. */
  void (*softmax)(int64_t rows, int64_t cols, const void *x, void *y);
  void (*log_softmax)(int64_t rows, int64_t cols, const void *x, void *y);
  void (*cross_entropy)(int64_t rows, int64_t cols, const void *x, const int32_t *label, void *loss,
                        void *prob);
  void (*soft_cross_entropy)(int64_t rows, int64_t cols, const void *x, const void *q, void *loss,
                             void *prob);

  /* rows of a data set into a program's input: y[r][c] = x[index[r]][c] * scale[c] + shift[c]
   * (real; scale and shift may both be NULL, then it only converts). */
  void (*gather_u8)(int64_t rows, int64_t cols, const uint8_t *x, const int32_t *index,
                    const void *scale, const void *shift, void *y);
  void (*gather_f32)(int64_t rows, int64_t cols, const float *x, const int32_t *index,
                     const void *scale, const void *shift, void *y);

  /* |x|^2, also right where float32 squares overflow or underflow. NaN: an element is not finite;
   * infinite: the sum is beyond double. */
  double (*squares)(int64_t n, const void *x);

  /* One pass over n weights by each optimizer, for its formula see its body; moment[i] are the
   * vectors that it keeps, and may be NULL where its row keeps none. g is not changed. Returns the
   * gradient's squares as it came in. NaN: it is not finite; the block (512 vectors, at most 4096
   * elements) where it is not, and those after it, were left alone. -inf: new weights or moments
   * are not finite; the blocks after theirs were left alone. */
  double (*update[SWI_OPTIMIZER_COUNT])(int64_t n, void *w, void *const *moment, const void *g,
                                        const swi_update *u);

  /* Multiply-adds in registers, as many at a time as the processor can: rounds of them. Returns how
   * many; *sum, of their results, is of use to the compiler alone. */
  int64_t (*multiply_adds)(int64_t rounds, double *sum);

  /* sums[0] += sum of d, sums[1] += sum of d^2, d = x - about; y = (d - off) r */
  void (*deviations)(int64_t n, double about, const void *x, double sums[2]);
  void (*normalise)(int64_t n, double about, double off, double r, const void *x, void *y);

  /* y[j] += sum over rows of x, as those of norms */
  void (*add_cols)(int64_t rows, int64_t cols, int64_t ld, const void *x, double *y);
  /* mean[j], and m2[j] = sum over rows of (x - mean)^2, of float32 to some 1e-7 of themselves */
  void (*norm_moments)(int64_t rows, int64_t cols, int64_t ld, const void *x, double *mean,
                       double *m2);
  /* total[SWI_SUM_…][j]; those of u are 0 where there is none. Gated only without u. */
  void (*norm_sums)(const swi_norm *m, double (*total)[SWI_NORM_COLS]);
  /* y = d of_x + shift + c of_c + u of_u, or (without c and u) its relu; y's rows at m->ld, too.
   * y may be x, c or u. */
  void (*norm_combine)(const swi_norm *m, const swi_norm_factors *f, int relu, void *y);

  /* y is the largest of each window (a NaN, if there is one), index (may be NULL) the number of its
   * tap, the first of equal ones. unpool adds each c up at that tap, of zeros; repool takes v from
   * there. In averages, taps in the padding count as zeros. */
  void (*max_pool)(const swi_pool *p, const void *x, void *y, void *index);
  void (*max_unpool)(const swi_pool *p, const void *c, const void *index, void *x);
  void (*max_repool)(const swi_pool *p, const void *v, const void *index, void *y);
  void (*avg_pool)(const swi_pool *p, const void *x, void *y);
  void (*avg_unpool)(const swi_pool *p, const void *c, void *x);

  /* Up to this shorter side of C, and in sums up to this length while a side of C is short enough,
   * packing does not pay if B's rows are contiguous. */
  int short_side, short_sum;
  /* Dot products of many rows are packed beyond this length. */
  int longest_dot;
  /* Products without packing, k >= 1; NULL in scalar tables. C = or += (accumulate)
   * nt: A Bᵀ, the rows of both contiguous. n: op(A) B, A's element (i, p) at a[i row_step + p
   * k_step]. ahead: what they prefetch; NULL: nothing. */
  void (*gemm_nt)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                  int64_t ldb, void *c, int64_t ldc, int accumulate, swi_ahead *ahead);
  void (*gemm_n)(int64_t m, int64_t n, int64_t k, const void *a, int64_t row_step, int64_t k_step,
                 const void *b, int64_t ldb, void *c, int64_t ldc, int accumulate,
                 swi_ahead *ahead);

  /* Any product, k >= 1, one of A's steps 1. NULL in scalar tables. Its bits are gemm_n's: each
   * sum runs over the same parts of k in order. */
  void (*gemm_packed)(const swi_product *p);

  /* Any product, k >= 1, in plain C; of scalar tables alone. */
  void (*gemm_plain)(const swi_product *p);
} swi_kernels;

extern const swi_kernels swi_kernels_scalar_f32;
extern const swi_kernels swi_kernels_scalar_f64;
#if defined(SWI_HAVE_AVX2) /* set by the build where the compiler can make them */
extern const swi_kernels swi_kernels_avx2_f32;
extern const swi_kernels swi_kernels_avx2_f64;
#endif
#if defined(SWI_HAVE_AVX512)
extern const swi_kernels swi_kernels_avx512_f32;
extern const swi_kernels swi_kernels_avx512_f64;
#endif
#if defined(SWI_HAVE_NEON)
extern const swi_kernels swi_kernels_neon_f32;
extern const swi_kernels swi_kernels_neon_f64;
#endif

/* What a context computes with. */
struct swi_blas;
typedef struct swi_backend {
  const swi_kernels *f32;      /* the variant in use for float32 */
  const swi_kernels *f64;      /* its table for float64 */
  const struct swi_blas *blas; /* one per process; NULL: none */
} swi_backend;

/* A context with one thread that computes with these. NULL if there is no memory. */
sw_context *swi_backend_context(const swi_backend *with);
swi_backend *swi_backend_of(sw_context *ctx);
/* The kernels for reals of 4 or 8 bytes. */
const swi_kernels *swi_kernels_of(const sw_context *ctx, int element_bytes);

/* The float32 tables of all variants that this machine can run, best first, and NULL. */
const swi_kernels *const *swi_kernels_available(void);
/* The float64 table of the same variant. */
const swi_kernels *swi_kernels_doubles(const swi_kernels *f32);

#endif

/* vec_numbers.h: the numbers that differ between instruction sets: a row for each, a column for
 * each set. The vec_*.h that includes this defines PER_SET, which picks a column, and REAL_BYTES,
 * the size of an element: 4 or 8. Sizes that follow from the caches are in bytes or in vectors.
 */
#ifndef SW_VEC_NUMBERS_H
#define SW_VEC_NUMBERS_H

/*                         scalar neon avx2 avx512 */

/* Elements of a vector. */
#define V_N (PER_SET(REAL_BYTES, 16, 32, 64) / REAL_BYTES)

/* Rows of two vectors each whose sums the registers hold, beside what a step needs: 32, 16 and 32
 * registers. */
#define V_TILE PER_SET(1, 8, 6, 14)

/* Rows of one vector each: of a convolution's last outputs, of a weight gradient's few channels. */
#define V_TALL PER_SET(1, 16, 14, 16)

/* Sums that do not wait for each other: at least the latency of a multiply-add times its units, and
 * the registers hold them beside two factors. */
#define V_CHAINS PER_SET(8, 16, 12, 16)

/* Of k: a panel of B, two vectors wide, 13, 26 and 36 KiB, is in the L1 cache while A is read. */
#define PART_K PER_SET(416, 416, 416, 288)

/* Side of the blocks that v_transpose_block exchanges. */
#define V_BLOCK (PER_SET(REAL_BYTES, 16, 32, 32) / REAL_BYTES)

/* Outputs in two vectors of pixels each whose sums the registers hold; at most V_BLOCK. */
#define PIXEL_OUTPUTS (REAL_BYTES == 4 ? PER_SET(1, 4, 6, 8) : V_BLOCK)

/* Taps of a weight gradient in vectors of pixels whose sums for so many outputs the registers hold,
 * beside their pixels and an output's. */
#define PLANAR_FIT(outputs) (PER_SET(1, 31, 15, 31) / ((outputs) + 1))

/* Side of a product up to which packing does not pay, and length of its sums, measured. */
#define SHORT_SIDE PER_SET(0, 128, 128, 128)
#define SHORT_SUM PER_SET(0, 0, 64, 288)

/* Length of the dot products of more than a few rows beyond which packing pays, measured. */
#define LONGEST_DOT_OF_MANY PER_SET(0, 1000, 1000, 3500)

/* Dot products of a tile, 3 x 4 or 6 x 4: the registers hold their vectors, those of the shorter
 * side, and one more. */
#define DOT_SUMS PER_SET(1, 24, 12, 24)

/* Whether tiles of outer products prefetch rows ahead. Those of AVX2 have no room for the requests:
 * products of 8 examples took 7 % more time. */
#define OUTER_AHEAD PER_SET(0, 0, 0, 1)

/* Elements of a packed block of A that stays in the L2 cache while B is read. */
#define COPIED_A (PER_SET(0, 1024 * PART_K, 1024 * PART_K, 2048 * PART_K) / REAL_BYTES)

/* Pixels of a weight gradient's part: the L1 cache holds a panel's X and a tile's dy. */
#define AT_ONCE PER_SET(256, 256, 256, 160)

/* Rows of one and of two vectors each of a weight gradient's tile whose rows lie apart: each has a
 * pointer. */
#define V_APART_NARROW PER_SET(1, 9, 9, 9)
#define V_APART PER_SET(1, 8, 6, 9)

#endif

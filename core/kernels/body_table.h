/* body_table.h: the bodies as one table, TABLE, of the variant VARIANT. Included last. */
const swi_kernels TABLE = {
    .name = VARIANT,
    .element_bytes = sizeof(real),
    .unary =
        {
#define UNARY(name, f) [SWI_UNARY_##name] = unary_##name,
#define BINARY(name, f)
#include "kernels/elementwise.def"
        },
    .binary =
        {
#define UNARY(name, f)
#define BINARY(name, f) \
  [SWI_BINARY_##name] = {binary_##name, binary_vs_##name, binary_sv_##name},
#include "kernels/elementwise.def"
        },
    .where = where,
    .fill = fill,
    .scale = scale,
    .axpy = axpy,
    .lerp = lerp,
    .lerp_carry = lerp_carry,
    .keep_mask = keep_mask,
    .sum = sum,
    .dot = dot,
    .max = largest,
    .argmax = argmax,
    .sum_rows = sum_rows,
    .sum_cols = sum_cols,
    .sumsq_rows = sumsq_rows,
    .conv2d = conv2d,
    .conv2d_input = conv2d_input,
    .conv2d_weight = conv2d_weight,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .cross_entropy = cross_entropy,
    .soft_cross_entropy = soft_cross_entropy,
    .gather_u8 = gather_u8,
    .gather_f32 = gather_f32,
    .squares = squares,
    .update =
        {
#define OPTIMIZER(name) [SWI_OPTIMIZER_##name] = update_##name,
#include "kernels/optimizers.def"
        },
    .multiply_adds = multiply_adds,
    .deviations = deviations,
    .normalise = normalise,
    .add_cols = add_cols,
    .norm_moments = norm_moments,
    .norm_sums = norm_sums,
    .norm_combine = norm_combine,
    .max_pool = max_pool,
    .max_unpool = max_unpool,
    .max_repool = max_repool,
    .avg_pool = avg_pool,
    .avg_unpool = avg_unpool,
#if defined(SW_BODY_GEMM_H)
    .conv_panel = PANEL,
    .conv2d_pack = conv2d_pack,
    .conv2d_input_pack = conv2d_input_pack,
    .conv2d_weight_panels = conv2d_weight_panels,
    .short_side = SHORT_SIDE,
    .short_sum = SHORT_SUM,
    .longest_dot = LONGEST_DOT_OF_MANY,
    .gemm_nt = gemm_nt,
    .gemm_n = gemm_n,
    .gemm_packed = gemm_packed,
#endif
#if defined(SW_BODY_PLAIN_H)
    .gemm_plain = gemm_plain,
#endif
};

/* body_table.h: the bodies as one table, TABLE, of the variant VARIANT. Included last. */
#define BINARY_ROW(prefix)                                                        \
  {                                                                               \
    [SWI_ADD] = prefix##_add, [SWI_SUB] = prefix##_sub, [SWI_MUL] = prefix##_mul, \
    [SWI_DIV] = prefix##_div, [SWI_LT] = prefix##_lt, [SWI_LE] = prefix##_le,     \
    [SWI_GT] = prefix##_gt, [SWI_GE] = prefix##_ge, [SWI_EQ] = prefix##_eq,       \
    [SWI_NE] = prefix##_ne, [SWI_GATE] = prefix##_gate, [SWI_MAX] = prefix##_max, \
    [SWI_MIN] = prefix##_min, [SWI_POW] = prefix##_pow,                           \
  }

const swi_kernels TABLE = {
    .name = VARIANT,
    .element_bytes = sizeof(real),
    .unary = {[SWI_NEG] = unary_neg,
              [SWI_EXP] = unary_exp,
              [SWI_LOG] = unary_log,
              [SWI_RELU] = unary_relu,
              [SWI_TANH] = unary_tanh,
              [SWI_SIGMOID] = unary_sigmoid,
              [SWI_SQRT] = unary_sqrt,
              [SWI_ABS] = unary_abs,
              [SWI_SIGN] = unary_sign,
              [SWI_SOFTPLUS] = unary_softplus,
              [SWI_ERF] = unary_erf,
              [SWI_ERFC] = unary_erfc,
              [SWI_SIGMOID_SLOPE] = unary_sigmoid_slope},
    .binary = BINARY_ROW(binary),
    .binary_vs = BINARY_ROW(binary_vs),
    .binary_sv = BINARY_ROW(binary_sv),
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
    .sgd = sgd,
    .adam = adam,
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
    .gemm_nt = gemm_nt,
    .gemm_n = gemm_n,
    .gemm_packed = gemm_packed,
#endif
#if defined(SW_BODY_PLAIN_H)
    .gemm_plain = gemm_plain,
#endif
};

--- The recipe "A native optimizer": Lion.
local ROWS, REFERENCE = "core/train/optimizer.c", "docs/reference.md"

return {
  adds = "native optimizer Lion",
  pieces = {
    { name = "word", file = "core/kernels/optimizers.def", after = "OPTIMIZER(adamw)",
      text = "OPTIMIZER(lion)\n", dropped = "SWI_OPTIMIZER_lion" },
    { name = "body", file = "core/kernels/body_update.h", before = "#endif", text = [[
/* Lion (Chen et al. 2023), with g *= grad_scale: c = beta1 m + (1 - beta1) g;
 * w -= lr (sign(c) + weight_decay w); m = beta2 m + (1 - beta2) g. */
INLINE vec lion_step(const swi_update *h, vec w, vec *m, vec gradient) {
  const vec g = v_mul(v_set1(h->grad_scale), gradient), old = *m;
  const vec c = v_fma(v_set1(h->momentum), old, v_mul(v_set1(1 - h->momentum), g));
  *m = v_fma(v_set1(h->beta2), old, v_mul(v_set1(1 - h->beta2), g));
  return v_fma(v_set1(-h->lr), v_sign(c), v_mul(v_set1(1 - h->lr * h->weight_decay), w));
}

static double update_lion(int64_t n, void *pw, void *const *moment, const void *pg,
                          const swi_update *h) {
  real *w = pw, *m = moment[0];
  const real *g = pg;
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t end = i + block_at(i, n);
    total += sound_squares(end - i, g + i);
    if (total != total) return total;
    vec odd = v_set1(0);
    for (int64_t k = i; k < end; k += V_N) {
      const int64_t left = end - k < V_N ? end - k : V_N;
      vec old = h->first ? v_set1(0) : v_load_part(m + k, left);
      const vec fresh = lion_step(h, v_load_part(w + k, left), &old, v_load_part(g + k, left));
      v_store_part(w + k, fresh, left);
      v_store_part(m + k, old, left);
      odd = v_fma(v_select(v_head(left), fresh, v_set1(0)), v_set1(0), odd);
    }
    if (v_reduce_add(odd) != 0) return -__builtin_inf();
  }
  return total;
}

]], dropped = "update_lion" },
    { name = "row", file = ROWS, before = "static const sw_optimizer_row row_none", text = [[
static const sw_field lion_fields[] = {{.name = "beta2",
                                        .offset = offsetof(sw_optimizer_options, beta2),
                                        .fallback = 0.99,
                                        .range = {0, 1, 1}},
                                       {.name = NULL}};

static const sw_optimizer_row row_lion = {.name = "lion",
                                          .momentum = 0.9 /* beta1 */};

]], dropped = "row_lion" },
    { name = "moment in the row", of = "row", file = ROWS, after = '.name = "lion",',
      text = '                                          .moment = {"exp_avg"},\n',
      dropped = "lion: its row must name moment 1" },
    { name = "range of momentum in the row", of = "row", file = ROWS, after = '.name = "lion",',
      text = '                                          .momentum_range = {0, 1, 1},\n',
      dropped = "lion has no range of momentum" },
    { name = "fields in the row", of = "row", file = ROWS, after = '.name = "lion",',
      text = '                                          .fields = lion_fields,\n',
      dropped = "the row of lion has no field beta2" },
    { name = "constructor", file = "scripts/swale/optim.lua",
      before = "---An optimizer written in Lua;", text = [[
local LION = { betas = "table?", weight_decay = HYPER .. "?", lr = HYPER .. "?",
  clip_norm = "positive?", groups = "table?" }

---@class swale.LionOptions
---@field betas? number[]                       { 0.9, 0.99 }; a Trainer's momentum is the first
---@field weight_decay? swale.Hyperparameter    0
---@field lr? swale.Hyperparameter              here or in the Trainer, not in both
---@field clip_norm? number                     likewise
---@field groups? swale.ParameterGroup[]        likewise

---Lion (Chen et al. 2023): the sign of a mean of gradients, with weight decay apart from it.
---    w = w - lr (sign(beta1 m + (1 - beta1) g) + weight_decay w),  m = beta2 m + (1 - beta2) g
---@param o? swale.LionOptions
---@return swale.Optimizer
function M.Lion(o)
  return new("Lion", "lion", with_betas("optim.Lion", o, LION, "lion"), 0)
end

]], dropped = "sw.optim makes no lion" },
    { name = "exact update", file = "tests/core/test_update_kernels.c", part = "test",
      before = "static double none_exact", text = [[
static double lion_exact(const swi_update *u, double w, double m[2], double g) {
  const double old = u->first ? 0 : m[0], fresh = u->grad_scale * g;
  const double c = u->momentum * old + (1 - u->momentum) * fresh;
  m[0] = u->beta2 * old + (1 - u->beta2) * fresh;
  return w - u->lr * ((c > 0) - (c < 0) + u->weight_decay * w);
}

]] },
    { name = "test row", file = "tests/core/test_update_kernels.c", part = "test",
      before = "    [SWI_OPTIMIZER_none] = ",
      text = "    [SWI_OPTIMIZER_lion] = {lion_exact, 1},\n",
      dropped = "updates has no row for lion" },
    { name = "line of docs", file = REFERENCE, part = "docs", replace = "`SGD` `Adam` `AdamW`,",
      text = "`SGD` `Adam` `AdamW` `Lion`,", dropped = "reference.md names no Lion" },
  },
  tests = { { "core", "test_optimizer" }, { "core", "test_train" },
    { "core", "test_update_kernels" }, { "core", "test_update" }, { "lua", "^test_optim%." } },
}

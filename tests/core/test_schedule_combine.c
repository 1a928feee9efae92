/* test_schedule_combine.c: schedules made of schedules. */
#include "schedule_check.h"
#include "train/schedule_int.h"

static sw_schedule *line(double from, double to, sw_duration period) {
  return make(
      (sw_schedule_spec){.kind = SW_SCHEDULE_linear, .from = from, .to = to, .period = period});
}

/* Releases the parts: the tree keeps them. */
static sw_schedule *made_of(sw_schedule_spec spec, int n, sw_schedule *const *parts) {
  spec.n_parts = n;
  spec.parts = parts;
  sw_schedule *s = make(spec);
  for (int i = 0; i < n; i++) sw_schedule_release(parts[i]);
  return s;
}

static sw_schedule *chain(int n, sw_schedule *const *parts, const sw_duration *durations) {
  return made_of(
      (sw_schedule_spec){.kind = SW_SCHEDULE_chain, .n_durations = n - 1, .durations = durations},
      n, parts);
}

/* SequentialLR: part k owns the updates from its mark on, and its clock starts at 0 there. */
TEST(test_chain_restarts_the_clocks) {
  const sw_duration units[][2] = {
      {steps(5), steps(8)}, {examples(50), examples(80)}, {epochs(0.5), epochs(0.8)}};
  for (int unit = 0; unit < 3; unit++) {
    sw_duration five = units[unit][0], eight = units[unit][1];
    sw_schedule *s =
        chain(3, (sw_schedule *[]){line(0, 1, five), line(3, 2, eight), line(9, 1, eight)},
              (sw_duration[]){five, eight});
    for (int t = 0; t < 30; t++) {
      double want = t < 5 ? t / 5.0 : t < 13 ? 3 - (t - 5) / 8.0 : fmax(1, 9 - (t - 13));
      assert_near(at(s, t), want, 1e-14);
    }
    sw_schedule_release(s);
  }
}

/* A batch that crosses the mark: the part begins at the mark, not at the update behind it. */
TEST(test_chain_while_the_batch_grows) {
  sw_schedule *s = chain(2, (sw_schedule *[]){line(5, 5, examples(1)), line(1, 0, examples(100))},
                         (sw_duration[]){examples(50)});
  assert_true(sw_schedule_at(s, &(sw_progress){3, 49, 120, 1000}) == 5);
  assert_near(sw_schedule_at(s, &(sw_progress){4, 70, 200, 1000}), 0.8, 1e-15);
  assert_true(sw_schedule_at(s, &(sw_progress){5, 200, 300, 1000}) == 0);
  sw_schedule_release(s);
}

/* 0.1 + 0.2 epochs of 10 examples are 3 examples, and a cyclic part counts from there. */
TEST(test_chain_of_cycles) {
  sw_schedule *cyclic = make(
      (sw_schedule_spec){.kind = SW_SCHEDULE_cyclic, .max = 1, .min = 0, .period = epochs(0.4)});
  sw_schedule *s = chain(3, (sw_schedule *[]){line(7, 7, epochs(1)), line(8, 8, epochs(1)), cyclic},
                         (sw_duration[]){epochs(0.1), epochs(0.2)});
  const double want[] = {7, 8, 8, 0.75, 0.5, 0.25, 0, 0.75};
  for (int t = 0; t < 8; t++)
    assert_near(sw_schedule_at(s, &(sw_progress){t, t, t + 1, 10}), want[t], 1e-14);
  sw_schedule_release(s);
}

TEST(test_arithmetic) {
  sw_schedule *up = line(0, 10, steps(10));
  sw_schedule *scaled = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_scale, .value = 0.25}, 1,
                                (sw_schedule *[]){sw_schedule_retain(up)});
  sw_schedule *clamped = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_clamp, .min = 2, .max = 7},
                                 1, (sw_schedule *[]){sw_schedule_retain(up)});
  sw_schedule *product = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_product}, 2,
                                 (sw_schedule *[]){sw_schedule_retain(up), line(4, 2, steps(4))});
  sw_schedule *floored = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_floor}, 1,
                                 (sw_schedule *[]){sw_schedule_retain(scaled)});
  for (int t = 0; t < 15; t++) {
    double x = t < 10 ? t : 10;
    assert_near(at(scaled, t), x / 4, 1e-15);
    assert_true(at(clamped, t) == fmin(7, fmax(2, x)));
    assert_near(at(product, t), x * (t < 4 ? 4 - t / 2.0 : 2), 1e-14);
    assert_true(at(floored, t) == floor(x / 4));
  }
  sw_schedule *const all[] = {up, scaled, clamped, product, floored};
  for (int i = 0; i < 5; i++) sw_schedule_release(all[i]);
}

/* Smith et al. 2018: eps / B falls by 5 at each mark; the batch grows up to a cap, from there on
 * the rate falls. Made of parts: B = floor(clamp(B0 5^k)), eps = (eps0 / B0) 5^-k B. */
TEST(test_annealing_is_a_product) {
  const sw_duration marks[] = {epochs(2), epochs(4), epochs(6)};
  sw_schedule *grows = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_multi_step, .value = 128, .gamma = 5, .n_marks = 3, .marks = marks});
  sw_schedule *capped = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_clamp, .max = 1000}, 1,
                                (sw_schedule *[]){grows});
  sw_schedule *batch =
      made_of((sw_schedule_spec){.kind = SW_SCHEDULE_floor}, 1, (sw_schedule *[]){capped});
  sw_schedule *ratio = make((sw_schedule_spec){.kind = SW_SCHEDULE_multi_step,
                                               .value = 0.1 / 128,
                                               .gamma = 0.2,
                                               .n_marks = 3,
                                               .marks = marks});
  sw_schedule *lr = made_of((sw_schedule_spec){.kind = SW_SCHEDULE_product}, 2,
                            (sw_schedule *[]){ratio, sw_schedule_retain(batch)});
  const double batches[] = {128, 640, 1000, 1000}, rates[] = {0.1, 0.1, 0.03125, 0.00625};
  for (int k = 0; k < 4; k++) {
    assert_true(at(batch, 20 * k) == batches[k] && at(batch, 20 * k + 19) == batches[k]);
    assert_near(at(lr, 20 * k), rates[k], 1e-14);
    assert_near(at(lr, 20 * k + 19), rates[k], 1e-14);
  }
  sw_schedule_release(batch);
  sw_schedule_release(lr);
}

/* -------------------------------------------------------------- refusals */

static void refused(sw_schedule_spec spec, sw_status status, const char *part) {
  sw_schedule *s = NULL;
  assert_int_equal(sw_schedule_new(ctx, &spec, &s), status);
  assert_null(s);
  assert_message(part);
}

TEST(test_refuses) {
  sw_schedule *steps_line = line(0, 1, steps(5)), *epochs_line = line(0, 1, epochs(5));
  sw_schedule *const both[] = {epochs_line, steps_line};
  sw_schedule_spec s = {.kind = SW_SCHEDULE_chain, .n_parts = 2, .parts = both};
  refused(s, SW_EARG, "a chain of 2 schedules needs 1 duration, got 0");
  s.n_durations = 1;
  s.durations = (sw_duration[]){epochs(1)};
  refused(s, SW_EARG, "a part (number 2) that counts steps");
  s.durations = (sw_duration[]){steps(10)};
  s.parts = (sw_schedule *const[]){steps_line, epochs_line};
  refused(s, SW_EARG, "a part (number 2) that counts examples");
  s.parts = both; /* the first part begins at 0 on every scale */
  sw_schedule_release(make(s));
  sw_schedule_release(steps_line);
  sw_schedule_release(epochs_line);
}

/* Fields that a kind does not read are neither checked nor copied. */
TEST(test_ignores_fields_of_other_kinds) {
  sw_schedule *const both[] = {line(0, 1, epochs(5)), line(0, 1, steps(5))};
  const sw_duration stray[] = {epochs(-1)};
  sw_schedule *constant = make((sw_schedule_spec){.kind = SW_SCHEDULE_constant,
                                                  .value = 3,
                                                  .period = epochs(-3),
                                                  .n_values = 4,
                                                  .n_marks = 4,
                                                  .n_parts = 4});
  sw_schedule *product = make((sw_schedule_spec){.kind = SW_SCHEDULE_product,
                                                 .n_parts = 2,
                                                 .parts = both,
                                                 .n_durations = 1,
                                                 .durations = stray});
  CHECK(at(constant, 7) == 3);
  assert_near(at(product, 2), 2.0 / 50 * 2 / 5, 1e-15);
  sw_schedule *const all[] = {constant, product, both[0], both[1]};
  for (int i = 0; i < 4; i++) sw_schedule_release(all[i]);
}

TEST(test_each_field_that_a_kind_reads_is_in_the_table_once) {
  for (int kind = 0; kind < SW_SCHEDULE_KIND_COUNT; kind++) {
    const swi_schedule_row *row = swi_schedule_row_of(kind);
    int listed = 0, found = 0;
    while (listed < SWI_SCHEDULE_FIELDS && row->fields[listed]) listed++;
    for (const sw_field *f = sw_schedule_fields(); f->name; f++)
      found += sw_schedule_reads((sw_schedule_kind)kind, f);
    if (listed == 0 || found != listed) fail_msg("%s reads %d of %d", row->name, found, listed);
  }
}

TEST(test_refuses_numbers) {
  refused(
      (sw_schedule_spec){.kind = SW_SCHEDULE_one_cycle, .period = steps(1), .shape = (sw_decay)3},
      SW_EARG, "shape must be choice 0 to 2, got 3");
  sw_schedule *const one[] = {line(0, 1, steps(5))};
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_clamp,
                             .min = (double)NAN,
                             .max = HUGE_VAL,
                             .n_parts = 1,
                             .parts = one},
          SW_ERANGE, "min must be a number, got nan");
  sw_schedule_release(one[0]);
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_product}, SW_EARG, "one schedule or more");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_clamp}, SW_EARG, "of one schedule, got 0");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_piecewise}, SW_EARG,
          "0 marks need 1 value, got 0");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_exponential, .period = steps(1)}, SW_ERANGE,
          "gamma must be positive, got 0");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_polynomial, .power = -1, .period = steps(1)},
          SW_ERANGE, "power");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_cosine_restarts, .period = steps(1)}, SW_ERANGE,
          "multiplier must be 1 to 2147483647, got 0");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_one_cycle, .period = steps(1), .fraction = 1.5},
          SW_ERANGE, "fraction");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_warmup_stable_decay,
                             .warmup = steps(1),
                             .stable = epochs(1),
                             .decay = steps(1)},
          SW_EARG, "all in steps, or none");
  refused((sw_schedule_spec){.kind = SW_SCHEDULE_multi_step,
                             .n_marks = 1,
                             .marks = (sw_duration[]){epochs(-1)}},
          SW_ERANGE, "marks must be 0 or more and finite, got -1");
}

/* Both parts are the same schedule, n levels deep: few nodes, but a tree of 2^n. */
TEST(test_refuses_trees_that_are_too_large) {
  sw_schedule *s = line(0, 1, steps(5));
  sw_schedule_spec wide = {.kind = SW_SCHEDULE_product, .n_parts = 2};
  for (int i = 0; i < 11; i++) s = made_of(wide, 2, (sw_schedule *[]){s, sw_schedule_retain(s)});
  sw_schedule *const twice[] = {s, s};
  wide.parts = twice;
  refused(wide, SW_ERANGE, "too large");
  sw_schedule_release(s);
  s = line(0, 1, steps(5));
  sw_schedule_spec deep = {.kind = SW_SCHEDULE_scale, .value = 1};
  for (int i = 1; i < SW_SCHEDULE_DEPTH; i++) s = made_of(deep, 1, (sw_schedule *[]){s});
  deep.n_parts = 1;
  sw_schedule *const once[] = {s};
  deep.parts = once;
  refused(deep, SW_ERANGE, "too large");
  assert_near(at(s, 3), 0.6, 1e-15);
  sw_schedule_release(s);
}

TEST(test_out_of_memory) {
  sw_schedule *s = line(0, 1, steps(5)), *tree = NULL;
  sw_schedule *const parts[] = {s, s};
  const sw_schedule_spec spec = {.kind = SW_SCHEDULE_product, .n_parts = 2, .parts = parts};
  sw_context_fail_allocation(ctx, 1, 0);
  assert_int_equal(sw_schedule_new(ctx, &spec, &tree), SW_ENOMEM);
  CHECK_OK(ctx, sw_schedule_new(ctx, &spec, &tree));
  sw_schedule_release(s);
  assert_near(at(tree, 1), 0.04, 1e-15);
  sw_schedule_release(tree);
  sw_schedule_release(NULL);
}

RUN_CLEAN_TESTS(CLEAN(test_chain_restarts_the_clocks), CLEAN(test_chain_while_the_batch_grows),
                CLEAN(test_chain_of_cycles), CLEAN(test_arithmetic),
                CLEAN(test_annealing_is_a_product), CLEAN(test_refuses),
                CLEAN(test_ignores_fields_of_other_kinds),
                CLEAN(test_each_field_that_a_kind_reads_is_in_the_table_once),
                CLEAN(test_refuses_numbers), CLEAN(test_refuses_trees_that_are_too_large),
                CLEAN(test_out_of_memory))

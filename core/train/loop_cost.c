/* loop_cost.c: the seconds that measured steps take beyond plain ones.
 *
 * A measured step and the plain step that follows it, at the same batch size, are a pair. The
 * share of a measured step that is not training is 1 - plain / paired, over all pairs.
 */
#include "train/loop_int.h"

int swi_cost_is_timed(const sw_loop *l, const swi_step_plan *p) {
  return p->measured || l->cost_before.seconds > 0;
}

void swi_cost_add(sw_loop *l, const swi_step_plan *p, double seconds) {
  swi_timed *before = &l->cost_before;
  if (p->measured) {
    l->cost.measured += seconds;
    *before = (swi_timed){p->batch, seconds};
    return;
  }
  if (p->batch == before->batch) {
    l->cost.paired += before->seconds;
    l->cost.plain += seconds;
  }
  *before = (swi_timed){0, 0};
}

void sw_loop_cost_get(const sw_loop *l, sw_loop_cost *out) { *out = l->cost; }

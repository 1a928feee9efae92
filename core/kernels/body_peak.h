/* body_peak.h: the most multiply-adds that the processor can do: its peak. No memory is read. */
#ifndef SW_BODY_PEAK_H
#define SW_BODY_PEAK_H

/* The sums do not wait for each other; all of them approach 2, so none is subnormal. */
static int64_t multiply_adds(int64_t rounds, double *sum) {
  const vec half = v_set1(0.5), one = v_set1(1);
  vec s[V_CHAINS];
  for (int i = 0; i < V_CHAINS; i++) s[i] = v_set1(i);
  for (int64_t r = 0; r < rounds; r++)
    for (int i = 0; i < V_CHAINS; i++) s[i] = v_fma(s[i], half, one);
  *sum = 0;
  for (int i = 0; i < V_CHAINS; i++) *sum += (double)v_reduce_add(s[i]);
  return rounds * V_CHAINS * V_N;
}

#endif

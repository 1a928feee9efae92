/* fuzz_metrics.c: metrics.jsonl. The first byte chooses the number of points. */
#include "fuzz.h"
#include "io/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  if (size == 0) return 0;
  int64_t points = 4 + data[0] % 32, rows[36];
  sw_metrics *m = NULL;
  sw_status st = sw_metrics_read(ctx, fuzz_file(data + 1, size - 1), NULL, &m);
  for (int k = 0; st == SW_OK && k < sw_metrics_kinds(m); k++) {
    for (int c = 0; c < sw_metrics_columns(m, k); c++) {
      sw_metrics_summary s = sw_metrics_summarise(m, k, c);
      int64_t n = sw_metrics_thin(m, k, c, points, rows);
      double value;
      if (n > points || n > s.count) abort();
      for (int64_t i = 0; i < n; i++)
        if (!sw_metrics_value(m, k, c, rows[i], &value)) abort();
    }
  }
  sw_metrics_free(m);
  fuzz_end(ctx, st);
  return 0;
}

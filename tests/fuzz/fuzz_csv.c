/* fuzz_csv.c: csv files. The first byte chooses the options. */
#include <string.h>

#include "fuzz.h"
#include "io/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const classes[] = {"setosa", "a \"b\"", "7"};
  static const char separators[] = {'\0', ',', ' ', 'x'};
  sw_context *ctx = fuzz_context();
  if (size == 0) return 0;
  unsigned c = data[0];
  sw_csv_options o = {.separator = separators[c & 3], .header = (sw_csv_header)((c >> 2) % 3)};
  o.dtype = c & 16 ? SW_F64 : SW_F32;
  o.missing_is_nan = (c & 32) != 0;
  if (c & 64) o.label_column = c & 128 ? -1 : 1;
  if ((c & 192) == 128 && o.header != SW_CSV_BARE) o.label_name = "k";
  if (c & 128) {
    o.classes = classes;
    o.n_classes = 3;
  }
  sw_csv *csv = NULL;
  sw_status st = sw_csv_read(ctx, fuzz_file(data + 1, size - 1), &o, &csv);
  if (st == SW_OK) {
    fuzz_use(sw_csv_values(csv));
    fuzz_use(sw_csv_labels(csv));
    for (int i = 0; i < sw_csv_name_count(csv); i++) (void)strlen(sw_csv_name(csv, i));
  }
  sw_csv_free(csv);
  fuzz_end(ctx, st);
  return 0;
}

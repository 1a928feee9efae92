/* metrics_int.h: the tables of metrics.jsonl, and numbers of JSON. */
#ifndef SW_METRICS_INT_H
#define SW_METRICS_INT_H

#include "io/metrics.h"

typedef struct swi_column {
  char *name;
  size_t name_size; /* with the final zero */
  double *values;   /* of the first n rows; rows beyond have none */
  int64_t n, room;
  int whole;
} swi_column;

typedef struct swi_table {
  char *kind;
  size_t kind_size;
  swi_column *columns;
  int n_columns, columns_room;
  int64_t rows;
} swi_table;

struct sw_metrics {
  sw_context *ctx;
  swi_table *tables;
  int n_tables, tables_room;
};

/* A number of a line. */
typedef struct swi_number {
  const char *name; /* borrowed */
  int64_t name_size;
  double value;
  int whole;
} swi_number;

/* What a row does not have is stored as a NaN that no arithmetic gives. */
double swi_metrics_absent(void);
int swi_metrics_is_absent(double value);

/* Reads a JSON number of at most 19 digits at a place, exactly. Returns where it ends; NULL for
 * what it leaves to a slower reader, faulty ones among it. */
const char *swi_json_number(const char *at, const char *end, double *value, int *whole);

/* Adds a row: the numbers to the columns of their names. */
sw_status swi_metrics_add(sw_metrics *m, const char *kind, int64_t kind_size,
                          const swi_number *numbers, int64_t n);

#endif

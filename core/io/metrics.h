/* metrics.h: a run's metrics.jsonl as columns of numbers.
 *
 * A line is a JSON object; its "kind" says which table it is a row of. Numbers, and the texts
 * "nan", "inf" and "-inf", are values; what else a line has is left out. Values are exact: the
 * double nearest to the text. A last line that is not complete, of a run that writes or was killed,
 * is left out. Files are read whole; a value takes 8 bytes, one that a row does not have, too.
 */
#ifndef SW_METRICS_H
#define SW_METRICS_H

#include "base/context.h"

typedef struct sw_metrics sw_metrics;

/* kind: NULL for all. SW_EIO, SW_ECORRUPT, SW_ENOMEM. */
SW_API sw_status sw_metrics_read(sw_context *ctx, const char *path, const char *kind,
                                 sw_metrics **out);
SW_API void sw_metrics_free(sw_metrics *m); /* NULL is fine */

/* Tables and columns are in the order of their first appearance, from 0. */
SW_API int sw_metrics_kinds(const sw_metrics *m);
SW_API const char *sw_metrics_kind(const sw_metrics *m, int kind); /* "" for lines without one */
SW_API int64_t sw_metrics_rows(const sw_metrics *m, int kind);
SW_API int sw_metrics_columns(const sw_metrics *m, int kind);
SW_API const char *sw_metrics_name(const sw_metrics *m, int kind, int column);

/* Whether row has a value there, which is written to *value; row from 0. */
SW_API int sw_metrics_value(const sw_metrics *m, int kind, int column, int64_t row, double *value);

/* Whether all values were written as whole numbers below 2^53. */
SW_API int sw_metrics_whole(const sw_metrics *m, int kind, int column);

/* Rows are -1 where there is none: least and greatest are of values that are not NaN. */
typedef struct sw_metrics_summary {
  int64_t count, last, least, greatest;
} sw_metrics_summary;

SW_API sw_metrics_summary sw_metrics_summarise(const sw_metrics *m, int kind, int column);

/* Writes at most points rows that have a value, ascending: the first and the last one, and from
 * each of equally many rows between them those of the least and the greatest value. rows has room
 * for points, which is 4 or more. Returns how many. */
SW_API int64_t sw_metrics_thin(const sw_metrics *m, int kind, int column, int64_t points,
                               int64_t *rows);

#endif

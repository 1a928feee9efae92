/* csv_int.h: lines, fields and numbers of a csv file, for csv_read.c and csv_write.c. */
#ifndef SW_CSV_INT_H
#define SW_CSV_INT_H

#include <stdint.h>

/* A field within its line, without the blanks and quotes around it. */
typedef struct swi_field {
  const char *text;
  int64_t n;
  int quoted; /* two quotes in its text stand for one */
} swi_field;

/* The field without the blanks inside its quotes. */
swi_field swi_csv_trimmed(const swi_field *f);

/* The next line of at … end, without its line end; *at moves behind it. 0 if there is none. */
int swi_csv_line(const char **at, const char *end, const char **line, int64_t *n);

/* The next field of a line; *at moves behind the separator, or becomes NULL at the line's end. -1:
 * a quote that is not closed, or text behind a closing one. */
int swi_csv_field(const char **at, const char *end, char separator, swi_field *out);

/* 0 if the text is no number, -1 if it is one beyond double's range. */
int swi_csv_number(const char *text, int64_t n, double *out);

/* Whether the text stands for a missing value. */
int swi_csv_is_missing(const char *text, int64_t n);

/* Why a text is not read as a number ("; numbers are decimal"), as the end of a message; "" if it
 * looks like none. */
const char *swi_csv_number_hint(const char *text, int64_t n);

#endif

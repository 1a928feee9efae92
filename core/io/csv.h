/* csv.h: tables of numbers as text.
 *
 * A line is a row, a field is a number: 1, -2.5, .5, +1e-3, nan, inf, infinity (in either case,
 * with a sign or not), without regard to the locale. It may be in double quotes; blanks around it,
 * inside the quotes or not, are ignored. Hexadecimal numbers, decimal commas and separators of
 * thousands are refused. A missing value is an empty field, NA, N/A or null, in either case.
 *
 * Lines end in LF, CRLF or CR, also mixed; empty lines and a UTF-8 byte order mark are skipped.
 * Every row has as many fields as the first. Text, in double quotes or not, is allowed in the first
 * line, which names the columns, and in one column of class labels.
 *
 * The first line holds names if a field is text. In the column of labels text counts only if it is
 * none of the classes, or without classes if the second line has a number there; a number in quotes
 * counts if the second line has one without quotes.
 */
#ifndef SW_CSV_H
#define SW_CSV_H

#include "tensor/tensor.h"

typedef enum sw_csv_header { SW_CSV_FIND, SW_CSV_NAMED, SW_CSV_BARE } sw_csv_header;

typedef struct sw_csv_options {
  char separator;         /* 0: the most frequent of tab, semicolon and comma in the first line */
  sw_csv_header header;   /* FIND: as above */
  sw_dtype dtype;         /* of the values: SW_F32 (rounded from double) or SW_F64 */
  int missing_is_nan;     /* else missing values are refused */
  const char *label_name; /* the column of labels, by its name or, if this is NULL, */
  int label_column;       /* by its place, 1 …, -1 the last; 0: there is none */
  const char *const *classes; /* the names of classes 0, 1, …; without them */
  int n_classes;              /* the labels are whole numbers from 0 */
} sw_csv_options;

typedef struct sw_csv sw_csv;

/* Reads a whole file. SW_EIO; SW_ECORRUPT: "path: line 7, column 3 (width): expected a number,
 * found text "wide"", rows of different lengths with the line, a number beyond the element type;
 * SW_EARG: options that contradict each other; SW_ENOMEM. */
SW_API sw_status sw_csv_read(sw_context *ctx, const char *path, const sw_csv_options *o,
                             sw_csv **out);
/* Borrowed from csv: (rows, columns but for the label's), and int32 (rows), NULL if no column has
 * labels. */
SW_API const sw_tensor *sw_csv_values(const sw_csv *csv);
SW_API const sw_tensor *sw_csv_labels(const sw_csv *csv);
/* Columns of values, 0 where the file names none; their names, borrowed, NULL outside. */
SW_API int sw_csv_name_count(const sw_csv *csv);
SW_API const char *sw_csv_name(const sw_csv *csv, int i);
SW_API void sw_csv_free(sw_csv *csv); /* NULL is fine */

/* t of one or two dimensions, a row a line, commas between; names NULL or one a column. Floats have
 * the 9 or 17 digits that restore them exactly. The file is whole or not there, as with
 * sw_safetensors_write. SW_ESHAPE, SW_EIO, SW_ENOMEM. */
SW_API sw_status sw_csv_write(const sw_tensor *t, const char *const *names, int n_names,
                              const char *path);

#endif

/* print.c: tensors as text, as NumPy prints them.
 *
 * Two passes over the elements shown: the first finds one width for all, the second writes. More
 * than 1000 elements: three from each end of an axis. Nothing is allocated.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale_int.h"
#include "tensor/tensor_int.h"

enum { WORD = 64, LINE = 75, DIGITS = 8, EDGE = 3, SUMMARY_ABOVE = 1000 };

/* The rest of the caller's text; length keeps counting when it is full. */
typedef struct sink {
  char *text;
  size_t size, length;
} sink;

static void put(sink *s, const char *text, size_t n) {
  if (s->length < s->size) {
    size_t room = s->size - s->length - 1;
    size_t take = n < room ? n : room;
    memcpy(s->text + s->length, text, take);
    s->text[s->length + take] = '\0';
  }
  s->length += n;
}

static void put_text(sink *s, const char *text) { put(s, text, strlen(text)); }

static void put_times(sink *s, const char *text, int times) {
  for (int i = 0; i < times; i++) put_text(s, text);
}

/* The format of the numbers of one tensor: all are equally wide. */
typedef struct layout {
  sw_dtype dtype;
  int summary; /* show the ends of long axes only */
  int scientific;
  int digits;               /* scientific: after the point, in every number */
  int left, right;          /* floats: characters before the point, and after it */
  int special;              /* floats: width of the widest of nan, inf, -inf */
  double largest, smallest; /* of the finite absolute values other than 0 */
} layout;

/* visit(element) for every element shown, in order. */
typedef void (*visit)(layout *l, double value);

static int shown(const layout *l, int64_t size) {
  return l->summary && size > 2 * EDGE ? 2 * EDGE : (int)(size < INT32_MAX ? size : INT32_MAX);
}

/* The k-th index shown of an axis. */
static int64_t shown_index(const layout *l, int64_t size, int k) {
  return l->summary && size > 2 * EDGE && k >= EDGE ? size - 2 * EDGE + k : k;
}

static const char *step_in(const sw_tensor *t, const layout *l, int axis, int k, const char *at) {
  int64_t index = shown_index(l, t->shape.dim[axis], k);
  return at + index * t->stride[axis] * sw_dtype_bytes(t->dtype);
}

static double element(const sw_tensor *t, const char *at) {
  double value;
  swi_convert_between(t->dtype, SW_F64)(1, at, 0, (char *)&value, 0);
  return value;
}

static void for_each(const sw_tensor *t, layout *l, int axis, const char *at, visit f) {
  if (axis == t->shape.ndim) {
    f(l, element(t, at));
    return;
  }
  int n = shown(l, t->shape.dim[axis]);
  for (int k = 0; k < n; k++) for_each(t, l, axis + 1, step_in(t, l, axis, k, at), f);
}

/* Whether the text reads back as the same number of the tensor's type. */
static int exact(const layout *l, const char *text, double value) {
  if (l->dtype == SW_F32) return strtof(text, NULL) == (float)value;
  return strtod(text, NULL) == value;
}

/* The shortest text that reads back as value, at most DIGITS after the point. "1.", "0.25". */
static void write_fixed(const layout *l, double value, char *word) {
  for (int p = 0; p <= DIGITS; p++) {
    (void)snprintf(word, WORD, "%#.*f", p, value);
    if (exact(l, word, value)) return;
  }
  size_t n = strlen(word); /* cut: rounding may have left zeros */
  while (n > 0 && word[n - 1] == '0') word[--n] = '\0';
}

static void write_scientific(const layout *l, double value, int digits, char *word) {
  for (int p = digits < 0 ? 0 : digits; p <= DIGITS; p++) {
    (void)snprintf(word, WORD, "%#.*e", p, value);
    if (digits >= 0 || exact(l, word, value)) return;
  }
}

static void write_special(double value, char *word) {
  (void)snprintf(word, WORD, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static int before_point(const char *word) { return (int)strcspn(word, "."); }

static void widen(int *width, int needed) {
  if (*width < needed) *width = needed;
}

static void see_integer(layout *l, double value) {
  char word[WORD];
  widen(&l->left, snprintf(word, sizeof word, "%.0f", value));
}

static void see_magnitude(layout *l, double value) {
  double a = fabs(value);
  if (!isfinite(value)) {
    widen(&l->special, isnan(value) || value > 0 ? 3 : 4);
  } else if (a > 0) {
    if (a > l->largest) l->largest = a;
    if (l->smallest == 0 || a < l->smallest) l->smallest = a;
  }
}

static void see_float(layout *l, double value) {
  char word[WORD];
  if (!isfinite(value)) return;
  if (l->scientific) {
    write_scientific(l, value, -1, word);
    int e = (int)strcspn(word, "e"), last = e - 1;
    while (word[last] == '0') last--; /* cut digits may be zeros; the point stops this */
    widen(&l->digits, last - before_point(word));
    widen(&l->right, (int)strlen(word) - e); /* the exponent, for now */
  } else {
    write_fixed(l, value, word);
    widen(&l->right, (int)strlen(word) - before_point(word) - 1);
  }
  widen(&l->left, before_point(word));
}

/* NumPy's rule: scientific from 1e8, below 1e-4, and if the largest is more than 1000 times the
 * smallest. */
static void find_layout(const sw_tensor *t, layout *l) {
  if (t->dtype == SW_I32 || t->dtype == SW_U8) {
    for_each(t, l, 0, t->data, see_integer);
    return;
  }
  for_each(t, l, 0, t->data, see_magnitude);
  l->scientific = l->smallest > 0 &&
                  (l->largest >= 1e8 || l->smallest < 1e-4 || l->largest / l->smallest > 1000);
  for_each(t, l, 0, t->data, see_float);
  if (l->scientific) l->right += l->digits;
  if (l->special > l->left + 1 + l->right) l->left = l->special - 1 - l->right;
}

static int word_width(const layout *l) {
  return l->dtype == SW_I32 || l->dtype == SW_U8 ? l->left : l->left + 1 + l->right;
}

static void put_value(sink *s, const layout *l, double value) {
  char word[WORD];
  int width = word_width(l), left = l->left;
  if (l->dtype == SW_I32 || l->dtype == SW_U8) {
    (void)snprintf(word, sizeof word, "%.0f", value);
    left = width - (int)strlen(word);
  } else if (!isfinite(value)) {
    write_special(value, word);
    left = width - (int)strlen(word);
  } else {
    if (l->scientific) {
      write_scientific(l, value, l->digits, word);
    } else {
      write_fixed(l, value, word);
    }
    left -= before_point(word);
  }
  put_times(s, " ", left);
  put_text(s, word);
  put_times(s, " ", width - left - (int)strlen(word));
}

/* The innermost axis: words with a space between, broken into lines. */
static void put_row(sink *s, const sw_tensor *t, const layout *l, int axis, const char *at) {
  int n = shown(l, t->shape.dim[axis]), column = axis + 1, width = word_width(l);
  int room = LINE - axis - 1; /* keeps the closing brackets on the line */
  for (int k = 0; k < n; k++) {
    int dots = k == EDGE && shown_index(l, t->shape.dim[axis], k) != k;
    for (int part = dots ? 0 : 1; part < 2; part++) {
      int next = part == 0 ? 3 : width, first = k == 0;
      if (!first && column + 1 + next > room) {
        put_text(s, "\n");
        put_times(s, " ", axis + 1);
        column = axis + 1;
      } else if (!first) {
        put_text(s, " ");
        column++;
      }
      if (part == 0) {
        put_text(s, "...");
      } else {
        put_value(s, l, element(t, step_in(t, l, axis, k, at)));
      }
      column += next;
    }
  }
}

static void put_nested(sink *s, const sw_tensor *t, const layout *l, int axis, const char *at) {
  if (axis == t->shape.ndim) {
    put_value(s, l, element(t, at));
    return;
  }
  put_text(s, "[");
  int n = shown(l, t->shape.dim[axis]), inner = t->shape.ndim - axis - 1;
  if (inner == 0) {
    put_row(s, t, l, axis, at);
    n = 0;
  }
  for (int k = 0; k < n; k++) {
    if (k > 0) put_times(s, "\n", inner);
    if (k > 0) put_times(s, " ", axis + 1);
    if (k == EDGE && shown_index(l, t->shape.dim[axis], k) != k) {
      put_text(s, "...");
      put_times(s, "\n", inner);
      put_times(s, " ", axis + 1);
    }
    put_nested(s, t, l, axis + 1, step_in(t, l, axis, k, at));
  }
  put_text(s, "]");
}

static void put_kind(sink *s, const sw_tensor *t) {
  char word[WORD];
  put_text(s, "\n[");
  put_text(s, sw_dtype_name(t->dtype));
  for (int i = 0; i < t->shape.ndim; i++) {
    (void)snprintf(word, sizeof word, "%s%" PRId64, i == 0 ? " " : "x", t->shape.dim[i]);
    put_text(s, word);
  }
  put_text(s, "]");
}

size_t sw_tensor_print(const sw_tensor *t, char *text, size_t size) {
  sink s = {.text = text, .size = size};
  layout l = {.dtype = t->dtype, .summary = t->numel > SUMMARY_ABOVE};
  if (size > 0) text[0] = '\0';
  locale_t before = swi_use_c_locale();
  if (t->numel == 0) {
    put_text(&s, "[]");
  } else {
    find_layout(t, &l);
    put_nested(&s, t, &l, 0, t->data);
  }
  put_kind(&s, t);
  swi_restore_locale(before);
  return s.length;
}

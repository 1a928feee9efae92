/* npy_header.c: the dictionary in front of the elements, as NumPy writes it.
 *
 * It is a Python literal with three keys, each once, in any order, with any blanks between tokens.
 * Anything else is refused: NumPy writes nothing else for plain arrays.
 */
#include <string.h>

#include "io/npy_int.h"

typedef struct reader {
  sw_context *ctx;
  const char *name;     /* of the file */
  const char *at, *end; /* what is left of the text */
} reader;

enum { DESCR = 1, FORTRAN_ORDER = 2, SHAPE = 4, ALL = DESCR | FORTRAN_ORDER | SHAPE };

static sw_status bad(const reader *r, const char *expected) {
  int left = (int)(r->end - r->at < 20 ? r->end - r->at : 20);
  return sw_fail(r->ctx, SW_ECORRUPT, "%.300s: npy header: expected %s, found \"%.*s\"", r->name,
                 expected, left, r->at);
}

static void skip_blanks(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')) r->at++;
}

/* Consumes the word if it comes next. */
static int take(reader *r, const char *word) {
  size_t n = strlen(word);
  skip_blanks(r);
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return 0;
  r->at += n;
  return 1;
}

/* A text in single or double quotes, without escapes: *text borrowed, *n bytes. */
static sw_status read_text(reader *r, const char *expected, const char **text, size_t *n) {
  skip_blanks(r);
  if (r->at == r->end || (*r->at != '\'' && *r->at != '"')) return bad(r, expected);
  const char *close = memchr(r->at + 1, *r->at, (size_t)(r->end - r->at - 1));
  if (close == NULL) return bad(r, "a closing quotation mark");
  *text = r->at + 1;
  *n = (size_t)(close - *text);
  r->at = close + 1;
  return SW_OK;
}

/* The type behind '<', '>', '|' or '='. */
static const struct {
  const char *code;
  swi_element type;
} codes[] = {{"f2", SWI_E_F16}, {"f4", SWI_E_F32}, {"f8", SWI_E_F64}, {"b1", SWI_E_BOOL},
             {"i1", SWI_E_I8},  {"u1", SWI_E_U8},  {"i2", SWI_E_I16}, {"u2", SWI_E_U16},
             {"i4", SWI_E_I32}, {"u4", SWI_E_U32}, {"i8", SWI_E_I64}, {"u8", SWI_E_U64}};

/* How to convert in NumPy what cannot be read. */
static const char *remedy(char kind) {
  if (kind == 'c') return "save a.real and a.imag, each by itself";
  if (kind == 'U' || kind == 'S' || kind == 'O') {
    return "save numbers: np.unique(a, return_inverse=True)[1] numbers the words of labels";
  }
  return "in NumPy: a.astype('<f4')";
}

static sw_status read_descr(reader *r, swi_npy_header *h) {
  const char *text;
  size_t n;
  skip_blanks(r);
  if (r->at < r->end && *r->at == '[') {
    return sw_fail(r->ctx, SW_EUNSUPPORTED, "%.300s: a structured array; save one field alone",
                   r->name);
  }
  SW_TRY(read_text(r, "the text of 'descr'", &text, &n));
  static const char orders[] = {'<', '>', '|', '='};
  int ordered = n > 0 && memchr(orders, text[0], sizeof orders) != NULL;
  for (int i = 0; ordered && n == 3 && i < (int)(sizeof codes / sizeof codes[0]); i++) {
    if (memcmp(text + 1, codes[i].code, 2) == 0) {
      h->type = codes[i].type;
      h->big_endian = text[0] == '>';
      return SW_OK;
    }
  }
  return sw_fail(r->ctx, SW_EUNSUPPORTED,
                 "%.300s: elements of type '%.*s'; f2, f4, f8, i1 … i8, u1 … u8 and b1 can be read "
                 "(%s)",
                 r->name, (int)(n < 20 ? n : 20), text,
                 remedy(n > (size_t)ordered ? text[ordered] : 0));
}

static sw_status read_size(reader *r, int64_t *out) {
  skip_blanks(r);
  const char *start = r->at;
  int64_t n = 0;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *r->at - '0', &n)) {
      return bad(r, "a size below 2^63");
    }
  }
  if (r->at == start) return bad(r, "a size");
  (void)take(r, "L"); /* Python 2 */
  *out = n;
  return SW_OK;
}

static sw_status read_sizes(reader *r, swi_npy_header *h) {
  int n = 0;
  if (!take(r, "(")) return bad(r, "the tuple of 'shape'");
  while (!take(r, ")")) {
    int64_t size = 0;
    SW_TRY(read_size(r, &size));
    if (n == SW_MAX_DIMS) {
      return sw_fail(r->ctx, SW_EUNSUPPORTED, "%.300s: more than %d dimensions", r->name,
                     SW_MAX_DIMS);
    }
    h->shape.dim[n++] = size;
    if (!take(r, ",")) {
      if (n < 2 || !take(r, ")")) return bad(r, "a comma in 'shape'"); /* (3) is no tuple */
      break;
    }
  }
  h->shape.ndim = n;
  return SW_OK;
}

static sw_status read_shape(reader *r, swi_npy_header *h) {
  int64_t numel;
  char text[160];
  SW_TRY(read_sizes(r, h));
  if (sw_shape_numel(r->ctx, &h->shape, &numel) == SW_OK) return SW_OK;
  return sw_fail(r->ctx, SW_ECORRUPT, "%.300s: expected at most 2^46 elements, found shape %s",
                 r->name, sw_shape_text(&h->shape, text, sizeof text));
}

static sw_status read_value(reader *r, int key, swi_npy_header *h) {
  if (key == DESCR) return read_descr(r, h);
  if (key == SHAPE) return read_shape(r, h);
  h->fortran_order = take(r, "True");
  return h->fortran_order || take(r, "False") ? SW_OK : bad(r, "True or False");
}

static sw_status read_key(reader *r, int seen, int *key) {
  static const char *const names[] = {"descr", "fortran_order", "shape"};
  const char *text;
  size_t n;
  SW_TRY(read_text(r, "a key", &text, &n));
  for (int i = 0; i < 3; i++) {
    if (n == strlen(names[i]) && memcmp(text, names[i], n) == 0) *key = 1 << i;
  }
  if (*key == 0 || (seen & *key) != 0) {
    r->at = text;
    return bad(r, "'descr', 'fortran_order' and 'shape', each once");
  }
  return take(r, ":") ? SW_OK : bad(r, "a colon");
}

sw_status swi_npy_parse_header(sw_context *ctx, const char *name, const char *text, int64_t n,
                               swi_npy_header *out) {
  reader r = {ctx, name, text, text + n};
  swi_npy_header h = {0};
  int seen = 0;
  if (!take(&r, "{")) return bad(&r, "a dictionary");
  while (!take(&r, "}")) {
    int key = 0;
    SW_TRY(read_key(&r, seen, &key));
    SW_TRY(read_value(&r, key, &h));
    seen |= key;
    if (take(&r, ",")) continue;
    if (!take(&r, "}")) return bad(&r, "a comma");
    break;
  }
  skip_blanks(&r);
  if (r.at != r.end) return bad(&r, "nothing behind the dictionary");
  if (seen != ALL) return bad(&r, "'descr', 'fortran_order' and 'shape'");
  *out = h;
  return SW_OK;
}

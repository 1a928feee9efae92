/* safetensors_read.c: reads a file of named tensors; nothing in it is trusted.
 *
 * The tensors must cover the data exactly: no overlap, no gap, nothing after the last one. The
 * reference implementation demands this, and truncated or patched files fail it.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc_int.h"
#include "io/elements_int.h"
#include "io/file_int.h"
#include "io/safetensors_int.h"

/* The types of the format. 8-bit floats are listed, so that the other tensors of such a file can be
 * read. */
static const struct {
  const char *name;
  int bytes;
  int type; /* swi_element, or -1 */
} types[] = {{"F32", 4, SWI_E_F32},   {"F64", 8, SWI_E_F64},   {"F16", 2, SWI_E_F16},
             {"BF16", 2, SWI_E_BF16}, {"BOOL", 1, SWI_E_BOOL}, {"I8", 1, SWI_E_I8},
             {"U8", 1, SWI_E_U8},     {"I16", 2, SWI_E_I16},   {"U16", 2, SWI_E_U16},
             {"I32", 4, SWI_E_I32},   {"U32", 4, SWI_E_U32},   {"I64", 8, SWI_E_I64},
             {"U64", 8, SWI_E_U64},   {"F8_E5M2", 1, -1},      {"F8_E4M3", 1, -1}};

enum { N_TYPES = sizeof types / sizeof types[0] };

typedef struct entry {
  const char *name; /* in the JSON */
  int type;         /* index into types */
  int ndim;         /* may be more than shape can hold */
  sw_shape shape;
  int64_t begin, end; /* in the data */
} entry;

/* Lives until the reader and all views of it are gone. */
typedef struct mapping {
  sw_context *ctx;
  int64_t references;
  char *bytes;
  size_t size;
} mapping;

struct sw_safetensors {
  sw_context *ctx;
  char *path;
  size_t path_size;
  int fd; /* -1 when mapped */
  int64_t size, data_start;
  json_t *header; /* owns names and metadata */
  entry *entries;
  int count;
  sw_pair *metadata;
  int n_metadata;
  mapping *map; /* NULL when not mapped */
};

static void mapping_release(void *arg) {
  mapping *m = arg;
  if (m == NULL || --m->references > 0) return;
  (void)munmap(m->bytes, m->size);
  swi_free(m->ctx, m, sizeof *m);
}

static sw_status map_file(sw_safetensors *f) {
  mapping *m = swi_alloc_zeroed(f->ctx, sizeof *m);
  if (m == NULL) return SW_ENOMEM;
  *m = (mapping){.ctx = f->ctx, .references = 1, .size = (size_t)f->size};
  m->bytes = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, f->fd, 0);
  if (m->bytes == MAP_FAILED) {
    swi_free(f->ctx, m, sizeof *m);
    return swi_file_fail(f->ctx, f->path, "map", errno);
  }
  (void)close(f->fd);
  f->fd = -1;
  f->map = m;
  return SW_OK;
}

static sw_status parse_json(sw_safetensors *f, const char *text, size_t n) {
  json_error_t error;
  f->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
  if (f->header == NULL && json_error_code(&error) == json_error_out_of_memory) {
    return sw_fail(f->ctx, SW_ENOMEM, "%.200s: no memory for the header", f->path);
  }
  if (f->header == NULL) {
    return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: expected a JSON header, found: %s", f->path,
                   error.text);
  }
  if (!json_is_object(f->header)) {
    return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: expected a JSON object as header", f->path);
  }
  return SW_OK;
}

/* The length of the header, checked against the file before anything is allocated. */
static sw_status header_length(sw_safetensors *f, uint64_t *length) {
  int64_t got;
  *length = 0;
  SW_TRY(swi_file_read(f->ctx, f->path, f->fd, 0, length, SWI_ST_PREFIX, &got));
  if (got < SWI_ST_PREFIX) {
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.200s: not a safetensors file: expected at least 8 bytes, found %" PRId64,
                   f->path, got);
  }
  uint64_t left = (uint64_t)(f->size > SWI_ST_PREFIX ? f->size - SWI_ST_PREFIX : 0);
  if (*length > SWI_ST_LONGEST || *length > left) {
    if (memcmp(length, "PK\003\004", 4) == 0)
      return sw_fail(f->ctx, SW_ECORRUPT,
                     "%.200s: not a safetensors file, but a zip archive, as torch.save writes; "
                     "safetensors.torch.save_file writes safetensors",
                     f->path);
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.200s: not a safetensors file, or cut short: the header should have %" PRIu64
                   " bytes, after the first 8 the file has %" PRIu64 " (at most %d are read)",
                   f->path, *length, left, SWI_ST_LONGEST);
  }
  return SW_OK;
}

static sw_status read_header(sw_safetensors *f) {
  uint64_t length;
  int64_t got;
  SW_TRY(header_length(f, &length));
  f->data_start = SWI_ST_PREFIX + (int64_t)length;
  char *text = swi_alloc(f->ctx, length);
  if (text == NULL) return SW_ENOMEM;
  sw_status st = swi_file_read(f->ctx, f->path, f->fd, SWI_ST_PREFIX, text, (int64_t)length, &got);
  if (st == SW_OK) st = parse_json(f, text, (size_t)got);
  swi_free(f->ctx, text, length);
  return st;
}

static sw_status bad_entry(const sw_safetensors *f, const char *name, const char *what) {
  return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: tensor \"%.80s\": %s", f->path, name, what);
}

static sw_status read_type(const sw_safetensors *f, entry *e, const json_t *info) {
  const char *name = json_string_value(json_object_get(info, "dtype"));
  for (int i = 0; name != NULL && i < N_TYPES; i++) {
    if (strcmp(name, types[i].name) == 0) {
      e->type = i;
      return SW_OK;
    }
  }
  return bad_entry(f, e->name,
                   "expected a dtype of the format, such as F32, found none or another");
}

static int integer_at(const json_t *array, size_t i, int64_t *out) {
  const json_t *v = json_array_get(array, i);
  *out = json_integer_value(v);
  return json_is_integer(v) && *out >= 0;
}

/* *bytes: what the shape needs. */
static sw_status read_shape(const sw_safetensors *f, entry *e, const json_t *info, int64_t *bytes) {
  const json_t *shape = json_object_get(info, "shape");
  size_t n = json_array_size(shape);
  int ok = json_is_array(shape);
  *bytes = types[e->type].bytes;
  for (size_t i = 0; ok && i < n; i++) {
    int64_t d;
    ok = integer_at(shape, i, &d) && !__builtin_mul_overflow(*bytes, d, bytes);
    if (i < SW_MAX_DIMS) e->shape.dim[i] = d;
  }
  e->ndim = n < INT32_MAX ? (int)n : INT32_MAX;
  e->shape.ndim = e->ndim < SW_MAX_DIMS ? e->ndim : SW_MAX_DIMS;
  int64_t numel;
  if (ok && sw_shape_numel(f->ctx, &e->shape, &numel) == SW_OK) return SW_OK;
  return bad_entry(f, e->name,
                   "expected a shape of non-negative sizes, in all at most 2^46 elements");
}

static sw_status read_offsets(const sw_safetensors *f, entry *e, const json_t *info,
                              int64_t bytes) {
  const json_t *offsets = json_object_get(info, "data_offsets");
  int64_t data = f->size - f->data_start;
  if (json_array_size(offsets) != 2 || !integer_at(offsets, 0, &e->begin) ||
      !integer_at(offsets, 1, &e->end) || e->begin > e->end) {
    return bad_entry(f, e->name, "expected data_offsets of two rising numbers");
  }
  if (e->end > data) {
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.200s: tensor \"%.80s\" ends at byte %" PRId64
                   " of the data, found only %" PRId64 "; the file was cut short",
                   f->path, e->name, e->end, data);
  }
  if (e->end - e->begin != bytes) {
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.200s: tensor \"%.80s\": its shape needs %" PRId64
                   " bytes, data_offsets give %" PRId64,
                   f->path, e->name, bytes, e->end - e->begin);
  }
  return SW_OK;
}

static sw_status read_entry(const sw_safetensors *f, const char *name, const json_t *info,
                            entry *e) {
  int64_t bytes;
  e->name = name;
  if (!json_is_object(info)) return bad_entry(f, name, "expected a JSON object");
  SW_TRY(read_type(f, e, info));
  SW_TRY(read_shape(f, e, info, &bytes));
  return read_offsets(f, e, info, bytes);
}

static sw_status read_metadata(sw_safetensors *f, json_t *object) {
  if (object == NULL) return SW_OK;
  size_t n = json_object_size(object);
  f->metadata = swi_alloc_zeroed(f->ctx, n * sizeof *f->metadata);
  if (f->metadata == NULL) return SW_ENOMEM;
  f->n_metadata = (int)n; /* the longest header holds fewer than 2^31 of anything */
  int i = 0;
  for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
    sw_pair p = {json_object_iter_key(at), json_string_value(json_object_iter_value(at))};
    if (p.value == NULL) {
      return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: metadata \"%.80s\": expected a string", f->path,
                     p.key);
    }
    f->metadata[i++] = p;
  }
  return SW_OK;
}

static sw_status read_entries(sw_safetensors *f) {
  json_t *metadata = json_object_get(f->header, SWI_ST_METADATA);
  if (metadata != NULL && !json_is_object(metadata)) {
    return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: " SWI_ST_METADATA ": expected a JSON object",
                   f->path);
  }
  size_t n = json_object_size(f->header) - (metadata != NULL);
  f->entries = swi_alloc_zeroed(f->ctx, n * sizeof *f->entries);
  if (f->entries == NULL) return SW_ENOMEM;
  f->count = (int)n;
  int i = 0;
  void *at = json_object_iter(f->header);
  for (; at != NULL; at = json_object_iter_next(f->header, at)) {
    const json_t *info = json_object_iter_value(at);
    if (info == metadata) continue;
    SW_TRY(read_entry(f, json_object_iter_key(at), info, &f->entries[i++]));
  }
  return read_metadata(f, metadata);
}

static int by_offset(const void *a, const void *b) {
  const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

static sw_status check_cover(const sw_safetensors *f, const entry *const *sorted) {
  int64_t at = 0, data = f->size - f->data_start;
  for (int i = 0; i < f->count; i++) {
    const entry *e = sorted[i];
    if (e->begin != at) {
      return sw_fail(f->ctx, SW_ECORRUPT,
                     "%.200s: tensor \"%.80s\" starts at byte %" PRId64
                     " of the data, expected %" PRId64
                     ": data_offsets must neither overlap nor leave gaps",
                     f->path, e->name, e->begin, at);
    }
    at = e->end;
  }
  if (at == data) return SW_OK;
  return sw_fail(f->ctx, SW_ECORRUPT, "%.200s: expected %" PRId64 " bytes of data, found %" PRId64,
                 f->path, at, data);
}

static sw_status check_layout(const sw_safetensors *f) {
  size_t size = (size_t)f->count * sizeof(entry *);
  const entry **sorted = swi_alloc(f->ctx, size);
  if (sorted == NULL) return SW_ENOMEM;
  for (int i = 0; i < f->count; i++) sorted[i] = &f->entries[i];
  qsort(sorted, (size_t)f->count, sizeof *sorted, by_offset);
  sw_status st = check_cover(f, sorted);
  swi_free(f->ctx, sorted, size);
  return st;
}

static sw_status open_file(sw_safetensors *f, const char *path, int mapped) {
  f->path_size = strlen(path) + 1;
  f->path = swi_alloc(f->ctx, f->path_size);
  if (f->path == NULL) return SW_ENOMEM;
  memcpy(f->path, path, f->path_size);
  SW_TRY(swi_file_open(f->ctx, path, &f->fd, &f->size));
  SW_TRY(read_header(f));
  SW_TRY(read_entries(f));
  SW_TRY(check_layout(f));
  return mapped ? map_file(f) : SW_OK;
}

sw_status sw_safetensors_open(sw_context *ctx, const char *path, int mapped, sw_safetensors **out) {
  sw_safetensors *f = swi_alloc_zeroed(ctx, sizeof *f);
  if (f == NULL) return SW_ENOMEM;
  f->ctx = sw_context_retain(ctx);
  f->fd = -1;
  sw_status st = open_file(f, path, mapped);
  if (st != SW_OK) {
    sw_safetensors_close(f);
    return st;
  }
  *out = f;
  return SW_OK;
}

void sw_safetensors_close(sw_safetensors *f) {
  if (f == NULL) return;
  sw_context *ctx = f->ctx;
  mapping_release(f->map);
  if (f->fd >= 0) (void)close(f->fd);
  json_decref(f->header);
  swi_free(ctx, f->entries, (size_t)f->count * sizeof *f->entries);
  swi_free(ctx, f->metadata, (size_t)f->n_metadata * sizeof *f->metadata);
  swi_free(ctx, f->path, f->path_size);
  swi_free(ctx, f, sizeof *f);
  sw_context_release(ctx);
}

int sw_safetensors_count(const sw_safetensors *f) { return f->count; }

const char *sw_safetensors_name(const sw_safetensors *f, int i) {
  return i >= 0 && i < f->count ? f->entries[i].name : NULL;
}

int sw_safetensors_metadata_count(const sw_safetensors *f) { return f->n_metadata; }

sw_pair sw_safetensors_metadata(const sw_safetensors *f, int i) {
  return i >= 0 && i < f->n_metadata ? f->metadata[i] : (sw_pair){NULL, NULL};
}

static sw_status check_wanted(const sw_safetensors *f, int i) {
  if (i < 0 || i >= f->count) {
    return sw_fail(f->ctx, SW_ERANGE, "%.200s: tensor %" PRId64 " is outside 1 … %d", f->path,
                   (int64_t)i + 1, f->count);
  }
  const entry *e = &f->entries[i];
  if (types[e->type].type < 0) {
    return sw_fail(f->ctx, SW_EUNSUPPORTED,
                   "%.200s: tensor \"%.80s\" has dtype %s, which cannot be read (in PyTorch: "
                   "t.to(torch.float32))",
                   f->path, e->name, types[e->type].name);
  }
  if (e->ndim > SW_MAX_DIMS) {
    return sw_fail(f->ctx, SW_EUNSUPPORTED,
                   "%.200s: tensor \"%.80s\" has %d dimensions, at most %d can be read", f->path,
                   e->name, e->ndim, SW_MAX_DIMS);
  }
  return SW_OK;
}

typedef struct place {
  const sw_safetensors *f;
  const entry *e;
} place;

/* The bytes in the mapping or the file. */
static sw_status fetch(const void *arg, int64_t offset, int64_t bytes, void *to) {
  const place *p = arg;
  const sw_safetensors *f = p->f;
  int64_t at = f->data_start + p->e->begin + offset, got = bytes;
  if (f->map != NULL)
    memcpy(to, f->map->bytes + at, (size_t)bytes);
  else
    SW_TRY(swi_file_read(f->ctx, f->path, f->fd, at, to, bytes, &got));
  return got == bytes ? SW_OK : bad_entry(f, p->e->name, "the file has shrunk since it was opened");
}

static swi_element element_of(const entry *e) { return (swi_element)types[e->type].type; }

/* A tensor of its own. */
static sw_status copy_out(const sw_safetensors *f, const entry *e, sw_tensor **out) {
  char where[300];
  sw_tensor *t;
  void *to = NULL;
  (void)snprintf(where, sizeof where, "%.200s: tensor \"%.80s\"", f->path, e->name);
  SW_TRY(sw_tensor_new(f->ctx, swi_element_dtype(element_of(e)), &e->shape, &t));
  sw_status st = sw_tensor_writable(t, &to);
  if (st == SW_OK) {
    st = swi_elements_read(f->ctx, where, element_of(e), 0, sw_tensor_numel(t), fetch,
                           &(place){f, e}, to);
  }
  if (st != SW_OK) {
    sw_tensor_free(t);
    return st;
  }
  *out = t;
  return SW_OK;
}

sw_status sw_safetensors_tensor(const sw_safetensors *f, int i, sw_tensor **out) {
  SW_TRY(check_wanted(f, i));
  const entry *e = &f->entries[i];
  swi_element type = element_of(e);
  int64_t at = f->data_start + e->begin;
  int as_it_lies = swi_element_is_ours(type) && at % swi_element_bytes(type) == 0;
  if (f->map == NULL || !as_it_lies) return copy_out(f, e, out);
  f->map->references++;
  sw_status st = sw_tensor_wrap(f->ctx, swi_element_dtype(type), &e->shape, f->map->bytes + at, 1,
                                mapping_release, f->map, out);
  if (st != SW_OK) mapping_release(f->map);
  return st;
}

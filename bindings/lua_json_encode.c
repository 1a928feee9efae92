/* lua_json_encode.c: Lua values to JSON.
 *
 * Not written with jansson, which cannot do three things: floats in the fewest digits that restore
 * them (0.1, not 0.10000000000000001), the path to a value that cannot be JSON, and memory of Lua
 * alone, so that an error may be raised anywhere. Bytes of values that are not UTF-8 become U+FFFD:
 * a stray byte in a message does not lose a record. In keys they are refused, because two keys
 * could become one, as are zero bytes, which readers of C strings do not accept.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { DEEPEST = 200 };

/* The text so far is in a userdata at index OUT of the stack, replaced when it must grow. */
enum { VALUE = 1, INDENT, OUT };

typedef struct writer {
  lua_State *L;
  char *text;
  size_t n, cap;
  int indent; /* -1: one line */
} writer;

/* The path from the root to a value, for messages and to find cycles. */
typedef struct place {
  const struct place *up;
  int table;       /* stack index of the table that it is in */
  const char *key; /* NULL: an element of an array */
  lua_Integer index;
  int depth;
} place;

static void put(writer *w, const char *text, size_t n) {
  if (w->cap - w->n < n) {
    size_t cap = w->cap * 2;
    while (cap - w->n < n) cap *= 2; /* Lua raises long before this overflows */
    char *grown = lua_newuserdatauv(w->L, cap, 0);
    memcpy(grown, w->text, w->n);
    lua_replace(w->L, OUT);
    w->text = grown;
    w->cap = cap;
  }
  memcpy(w->text + w->n, text, n);
  w->n += n;
}

static void put_text(writer *w, const char *text) { put(w, text, strlen(text)); }

static void put_line(writer *w, int depth) {
  if (w->indent < 0) return;
  put(w, "\n", 1);
  for (int i = 0; i < depth * w->indent; i++) put(w, " ", 1);
}

/* Pushes the path: "params.rates[3]". */
static const char *push_place(lua_State *L, const place *p) {
  lx_reserve(L, 4);
  if (!p->up) return lua_pushliteral(L, "");
  const char *up = push_place(L, p->up);
  const char *dot = up[0] ? "." : "";
  if (p->key) return lua_pushfstring(L, "%s%s%s", up, dot, p->key);
  return lua_pushfstring(L, "%s[%I]", up, p->index);
}

static int refuse(lua_State *L, const place *p, const char *why) {
  const char *where = push_place(L, p);
  return lx_error(L, "json_encode: %s%s%s", why, where[0] ? " at " : "", where);
}

/* ---- strings */

/* Length of the UTF-8 sequence at s (no surrogates, nothing overlong, up to U+10FFFF), 0 if there
 * is none. */
static size_t sequence(const unsigned char *s, size_t left) {
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
             : (s[0] & 0xf0) == 0xe0       ? 3
             : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                           : 0;
  if (n == 0 || n > left) return 0;
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
  }
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
  if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
  return n;
}

static void put_escaped(writer *w, unsigned char c) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *found = c ? strchr(from, c) : NULL;
  char text[8];
  if (found) {
    snprintf(text, sizeof text, "\\%c", to[found - from]);
  } else {
    snprintf(text, sizeof text, "\\u%04x", c);
  }
  put_text(w, text);
}

static void put_string(writer *w, const char *text, size_t size) {
  const unsigned char *s = (const unsigned char *)text, *end = s + size;
  put(w, "\"", 1);
  while (s < end) {
    const unsigned char *plain = s;
    while (s < end && *s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\') s++;
    put(w, (const char *)plain, (size_t)(s - plain));
    if (s == end) break;
    size_t n = sequence(s, (size_t)(end - s));
    if (n == 0) {
      put(w, "\xef\xbf\xbd", 3);
      n = 1;
    } else if (*s < 0x80) {
      put_escaped(w, *s);
    } else {
      put(w, (const char *)s, n);
    }
    s += n;
  }
  put(w, "\"", 1);
}

/* ---- numbers */

/* The shortest of 15, 16, 17 digits that restores x; with a point, so that it is read as a float.
 * */
static void put_float(writer *w, double x) {
  char text[40];
  if (!isfinite(x)) {
    put_text(w, isnan(x) ? "\"nan\"" : x > 0 ? "\"inf\"" : "\"-inf\"");
    return;
  }
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  char *point = strchr(text, localeconv()->decimal_point[0]);
  if (point) *point = '.';
  put_text(w, text);
  if (!strpbrk(text, ".e")) put(w, ".0", 2);
}

static void put_number(writer *w) {
  char text[32];
  if (!lua_isinteger(w->L, -1)) {
    put_float(w, lua_tonumber(w->L, -1));
    return;
  }
  snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(w->L, -1));
  put_text(w, text);
}

/* ---- tables */

static void put_value(writer *w, const place *p);

static void check_nesting(lua_State *L, const place *p, int table) {
  for (const place *q = p; q->up; q = q->up) {
    if (lua_rawequal(L, q->table, table)) refuse(L, p, "a table holds itself");
  }
  if (p->depth >= DEEPEST) {
    lx_error(L, "json_encode: tables are nested deeper than %d", DEEPEST);
  }
}

/* Whether the table has the keys 1 … n and no others; objects have strings only. */
static int is_array(lua_State *L, const place *p, int table) {
  lua_Unsigned n = lua_rawlen(L, table), count = 0;
  int strings = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      strings = 1;
    } else if (!lua_isinteger(L, -2)) {
      const char *key = lx_push_words(L, -2);
      refuse(L, p, lua_pushfstring(L, "a key is %s, keys must be strings,", key));
    } else {
      count++;
    }
  }
  if (count == 0) return 0;
  if (strings) refuse(L, p, "a table has both a sequence and names");
  if (count != n) refuse(L, p, "a sequence has holes");
  return 1;
}

static void put_array(writer *w, const place *p, int table) {
  lua_Integer n = (lua_Integer)lua_rawlen(w->L, table);
  put(w, "[", 1);
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1) put(w, ",", 1);
    put_line(w, p->depth + 1);
    lua_rawgeti(w->L, table, i);
    put_value(w, &(place){p, table, NULL, i, p->depth + 1});
    lua_pop(w->L, 1);
  }
  put_line(w, p->depth);
  put(w, "]", 1);
}

typedef struct name {
  const char *text;
  size_t size;
} name;

/* Compares bytes; a prefix comes first. */
static int by_bytes(const void *a, const void *b) {
  const name *x = a, *y = b;
  size_t shorter = x->size < y->size ? x->size : y->size;
  int order = memcmp(x->text, y->text, shorter);
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Pushes the sorted keys: a Lua array, which keeps them alive, and their list of *n. */
static const name *push_names(lua_State *L, int table, int *n) {
  lua_newtable(L);
  int count = 0, keys = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, keys, ++count);
  }
  name *names = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *names, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, keys, i + 1);
    if (lua_type(L, -1) == LUA_TSTRING)
      names[i].text = lua_tolstring(L, -1, &names[i].size);
    else
      names[i] = (name){"", 0}; /* it was not there when the keys were checked */
    lua_pop(L, 1);
  }
  qsort(names, (size_t)count, sizeof *names, by_bytes);
  *n = count;
  return names;
}

/* Refuses keys that a file would not restore. */
static void check_key(lua_State *L, const place *p, const name *key) {
  const unsigned char *s = (const unsigned char *)key->text, *end = s + key->size;
  if (memchr(s, 0, key->size)) refuse(L, p, "a key has a zero byte");
  while (s < end) {
    size_t n = sequence(s, (size_t)(end - s));
    if (n == 0) refuse(L, p, "a key is not UTF-8");
    s += n;
  }
}

static void put_object(writer *w, const place *p, int table) {
  lua_State *L = w->L;
  int n;
  const name *names = push_names(L, table, &n);
  put(w, "{", 1);
  for (int i = 0; i < n; i++) {
    if (i > 0) put(w, ",", 1);
    put_line(w, p->depth + 1);
    check_key(L, &(place){p, table, names[i].text, 0, p->depth + 1}, &names[i]);
    put_string(w, names[i].text, names[i].size);
    put_text(w, w->indent < 0 ? ":" : ": ");
    lua_pushlstring(L, names[i].text, names[i].size);
    lua_rawget(L, table);
    put_value(w, &(place){p, table, names[i].text, 0, p->depth + 1});
    lua_pop(L, 1);
  }
  if (n > 0) put_line(w, p->depth);
  put(w, "}", 1);
  lua_pop(L, 2);
}

static void put_table(writer *w, const place *p) {
  int table = lua_gettop(w->L);
  check_nesting(w->L, p, table);
  lx_reserve(w->L, 12);
  if (is_array(w->L, p, table)) {
    put_array(w, p, table);
  } else {
    put_object(w, p, table);
  }
}

/* The value on top, which stays there. */
static void put_value(writer *w, const place *p) {
  switch (lua_type(w->L, -1)) {
  case LUA_TNIL: put_text(w, "null"); break;
  case LUA_TBOOLEAN: put_text(w, lua_toboolean(w->L, -1) ? "true" : "false"); break;
  case LUA_TNUMBER: put_number(w); break;
  case LUA_TSTRING: put_string(w, lua_tostring(w->L, -1), lua_rawlen(w->L, -1)); break;
  case LUA_TTABLE: put_table(w, p); break;
  default: refuse(w->L, p, lua_pushfstring(w->L, "%s cannot be JSON,", lx_push_words(w->L, -1)));
  }
}

/* json_encode(value, indent) */
int lx_json_encode(lua_State *L) {
  lua_settop(L, 2);
  int indent =
      lua_isnil(L, INDENT) ? -1 : (int)lx_check_integer(L, INDENT, "json_encode", "indent", 0, 16);
  writer w = {.L = L, .cap = 256, .indent = indent};
  w.text = lua_newuserdatauv(L, w.cap, 0);
  lua_pushvalue(L, VALUE);
  put_value(&w, &(place){NULL, 0, NULL, 0, 0});
  lua_pushlstring(L, w.text, w.n);
  return 1;
}

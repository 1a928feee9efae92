/* support.h: what the files of the Lua module share: objects, arguments, errors.
 *
 * Every function has four steps. Shell: an empty userdata, which Lua owns; check: arguments, may
 * raise and owns nothing; call: the core writes into the shell, with no Lua in between; report. The
 * shell comes before the checks because any allocation of Lua may run a finaliser of the script,
 * which may free the tensor that was just checked.
 *
 * Every function is a closure whose first upvalue is the module; the class of an object is found by
 * its metatable, which the module keeps.
 */
#ifndef SW_SUPPORT_H
#define SW_SUPPORT_H

#include <lauxlib.h>
#include <lua.h>

#include "tensor/tensor.h"
#include "train/field.h"

typedef enum lx_class {
#define CLASS(ENUM, name) LX_##ENUM,
#define FUNCTIONS(name)
#include "classes.def"
  LX_CLASS_COUNT
} lx_class;

/* The module userdata, besides the classes' metatables. */
enum {
  LX_LIBRARY = LX_CLASS_COUNT + 1,
  LX_INTERRUPTED,
  LX_MISSING, /* called for unknown names */
  LX_CORE,
  LX_VALUES = LX_CORE
};

typedef struct lx_module {
  sw_context *ctx;     /* NULL once the state is closing */
  int64_t quiet_bytes; /* the core's live bytes up to which the collector is not run */
  int retrying;        /* a call that found no memory is being repeated */
} lx_module;

/* A class, as its file describes it. */
typedef struct lx_class_spec {
  const char *name;        /* for messages and core.type */
  size_t size;             /* of a userdata; its first field is a pointer unless plain */
  int plain;               /* nothing to free: it can never be a freed object */
  int values;              /* user values: other objects that it needs */
  lua_CFunction end;       /* __gc and __close; may be called again */
  const luaL_Reg *methods; /* may be NULL */
  const luaL_Reg *meta;    /* may be NULL */
} lx_class_spec;

#define CLASS(ENUM, name) extern const lx_class_spec lx_##name##_class;
#define FUNCTIONS(name) extern const luaL_Reg lx_##name##_functions[];
#include "classes.def"

const lx_class_spec *lx_spec(lx_class c);

/* ---- the module */

#define LX_MODULE lua_upvalueindex(1)

extern const char lx_module_key; /* its address is the module's place in the registry */

lx_module *lx_self(lua_State *L);
sw_context *lx_context(lua_State *L); /* raises while the state is closing */

/* ---- objects */

/* Pushes an empty object, all zero; raises while the state is closing. May run the collector first.
 * */
void *lx_push_shell(lua_State *L, lx_class c);
void *lx_push_shell_sized(lua_State *L, lx_class c, size_t size);
sw_tensor **lx_push_tensor(lua_State *L);

/* Whether an object holds nothing: not filled yet, or freed. */
int lx_is_empty(const void *box);

/* The object at arg if it is of class c, freed or not, else NULL. Never raises. */
void *lx_test(lua_State *L, int arg, lx_class c);

/* The same, raising if it is of another class or freed. what names the argument, "self" a method's
 * own. */
void *lx_check(lua_State *L, int arg, lx_class c, const char *who, const char *what);
sw_tensor *lx_check_tensor(lua_State *L, int arg, const char *who, const char *what);

/* ---- arguments: all raise "who: what must be …, got …" */

#define LX_ANY_INTEGER LUA_MININTEGER, LUA_MAXINTEGER

lua_Integer lx_check_integer(lua_State *L, int arg, const char *who, const char *what,
                             lua_Integer low, lua_Integer high);
lua_Number lx_check_number(lua_State *L, int arg, const char *who, const char *what);
/* Text without zero bytes. */
const char *lx_check_text(lua_State *L, int arg, const char *who, const char *what);
int lx_check_boolean(lua_State *L, int arg, const char *who, const char *what); /* nil: 0 */
void lx_check_table(lua_State *L, int arg, const char *who, const char *what);
/* A NaN without a sign, so that it is shown as nan, not -nan. */
void lx_push_number(lua_State *L, double value);
/* "[0]", pushed: a key of the table at arg that is none of 1 … n; NULL if there is none. */
const char *lx_push_stray(lua_State *L, int arg, int64_t n);
/* Length of the sequence at arg, at most limit; other keys are refused. */
int lx_check_list(lua_State *L, int arg, const char *who, const char *what, int limit);
/* Position in names, which ends with NULL; nil: fallback, unless that is negative. */
int lx_check_choice(lua_State *L, int arg, const char *who, const char *what,
                    const char *const *names, int fallback);
sw_dtype lx_check_dtype(lua_State *L, int arg, const char *who); /* nil: float32 */
sw_dtype lx_check_real(lua_State *L, int arg, const char *who);  /* a float type; nil: float32 */
/* From 0; given from 1 or negative from the end, 1 … size. */
int64_t lx_check_position(lua_State *L, int arg, const char *who, const char *what, int64_t size);
int lx_check_axis(lua_State *L, int arg, const char *who, const char *what, int ndim);
/* Sizes; lowest is 0, or -1 where one may be left open. */
sw_shape lx_check_shape(lua_State *L, int arg, const char *who, lua_Integer lowest);

/* Pushes the fields of the options table at arg in the order of names, which ends with NULL; the
 * first is then at the index returned. Raises on other fields. */
int lx_push_options(lua_State *L, int arg, const char *who, const char *const *names);

typedef enum lx_option_type {
  LX_NUMBER,  /* double */
  LX_WHOLE,   /* int64_t, from least to most */
  LX_BOOLEAN, /* int */
  LX_CHOICE,  /* an enum or int: the position in choices */
  LX_VALUE    /* anything: for lx_push_option */
} lx_option_type;

/* An option, and the field that it is read into. */
typedef struct lx_option {
  const char *name; /* NULL ends a list */
  lx_option_type type;
  int needed; /* nil is refused as any other value is */
  size_t offset;
  lua_Integer least, most;
  const char *const *choices;
} lx_option;

/* Reads the options table at arg into the struct; what is not given leaves its field alone. Raises
 * on other options than those of the rows. */
void lx_read_options(lua_State *L, int arg, const char *who, const lx_option *rows, void *into);
/* Raises on options that are not among the names. */
void lx_check_options(lua_State *L, int arg, const char *who, const char *const *names);
/* Reads one of them. */
void lx_read_option(lua_State *L, int arg, const char *who, const lx_option *row, void *into);
/* Reads a field of the core from the option of its name into the struct. A list leaves its table
 * and its memory on the stack. */
void lx_read_field(lua_State *L, int arg, const char *who, const sw_field *f, void *into);
/* Raises "who: owner takes no name" if the option is given. */
void lx_refuse_field(lua_State *L, int arg, const char *who, const char *owner, const sw_field *f);
/* Pushes { name =, default =, least =, most =, open = }; the range is that of a number. */
void lx_push_field(lua_State *L, const sw_field *f, const void *defaults);
/* Puts least, most and open into the table at the top. */
void lx_put_interval(lua_State *L, sw_interval range);
/* Pushes an option of a table; returns its stack index. */
int lx_push_option(lua_State *L, int arg, const char *name);

/* Pushes a text for the value at index, for messages: 3, "abc", nil, a table, a tensor. */
const char *lx_push_words(lua_State *L, int index);

/* Pushes {dim, …}. */
void lx_push_shape(lua_State *L, const sw_shape *shape);

/* ---- errors */

/* Raises the message, with the position of the first caller outside of Swale's own files. As
 * lua_pushfstring: %s %d %I %f. The result is for `return lx_error(…)`. */
_Noreturn int lx_error(lua_State *L, const char *format, ...);

/* Makes room for n more values, or raises. luaL_checkstack says "stack overflow" where there was
 * no memory for the stack, too. */
void lx_reserve(lua_State *L, int n);

/* Raises the core's last message, whatever the status. */
_Noreturn int lx_raise(lua_State *L, sw_status status);

/* After a failed call on the first n arguments: if memory was lacking, collects all garbage and
 * calls f once again, else raises. */
int lx_retry(lua_State *L, sw_status status, int n, lua_CFunction f);

/* For faults of the environment pushes nil, message, code and returns 3; raises misuse. */
int lx_fault(lua_State *L, sw_status status);

/* Pushes true, or the fault. */
int lx_done(lua_State *L, sw_status status);

/* ---- what the files register */

int lx_tensor_from_values(lua_State *L);
int lx_tensor_table(lua_State *L);
int lx_json_encode(lua_State *L);
void lx_open_standard(void);                     /* descriptors 0 to 2: none stays closed */
void lx_release_signals(lua_State *L);           /* undoes core.catch_signals */
void lx_push_interrupted(lua_State *L);          /* the value of core.INTERRUPTED */
void lx_add_operators(lua_State *L, int module); /* __add … to the metatable on top */
void lx_define_index(lua_State *L, int module, lx_class c); /* on top: metatable, its methods */
int lx_node_length(lua_State *L);
void lx_push_element(lua_State *L, sw_dtype dtype, double value); /* an integer of integers */

/* Set by Ctrl-C once core.catch_signals was called; the core reads it. */
const volatile int *lx_interrupt_flag(void);

#endif

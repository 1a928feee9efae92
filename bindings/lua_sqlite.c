/* lua_sqlite.c: SQLite's C API, as little of it as the index of runs needs. No policy: what is
 * stored, and who may write, is decided in scripts/swale/store.
 *
 * Integers and floats stay what they are, infinities too. SQLite turns NaN into NULL, so a NaN is
 * refused. Faults are nil, message, code. Ctrl-C ends a statement that runs.
 */
#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "support.h"

enum { OPCODES_PER_LOOK = 10000, BUSY_MS = 10000 };

static const char *code_of(int result) {
  switch (result & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return "EBUSY";
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return "ECORRUPT";
  case SQLITE_FULL: return "ENOSPC";
  case SQLITE_NOMEM: return "ENOMEM";
  case SQLITE_INTERRUPT: return "EINTERRUPTED";
  case SQLITE_READONLY:
  case SQLITE_PERM: return "EROFS";
  case SQLITE_ERROR:
  case SQLITE_AUTH:
  case SQLITE_TOOBIG:
  case SQLITE_MISMATCH:
  case SQLITE_CONSTRAINT: return "ESQL";
  default: return "EIO";
  }
}

static int fault(lua_State *L, sqlite3 *db, int result) {
  lx_reserve(L, 3);
  lua_pushnil(L);
  lua_pushstring(L, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(result));
  lua_pushstring(L, code_of(result));
  return 3;
}

/* ---- the connection */

static int db_end(lua_State *L) {
  sqlite3 **box = lx_test(L, 1, LX_SQLITE);
  if (!box) return 0;
  sqlite3 *db = *box;
  *box = NULL;
  (void)sqlite3_close_v2(db); /* lives on until its last statement ends; NULL is fine */
  return 0;
}

static int interrupted(void *flag) { return *(const volatile int *)flag != 0; }

/* Reading of the tables, and nothing else: no file is opened, written or attached. */
static int reads_only(void *unused, int action, const char *a, const char *b, const char *c,
                      const char *d) {
  (void)unused, (void)a, (void)b, (void)c, (void)d;
  int allowed = action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                action == SQLITE_RECURSIVE;
  return allowed ? SQLITE_OK : SQLITE_DENY;
}

static int set_up(sqlite3 *db) {
  uintptr_t flag = (uintptr_t)lx_interrupt_flag(); /* only read */
  sqlite3_progress_handler(db, OPCODES_PER_LOOK, interrupted, (void *)flag);
  (void)sqlite3_extended_result_codes(db, 1);
  (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  return sqlite3_busy_timeout(db, BUSY_MS);
}

/* sqlite_open(path, mode) -> connection. "create": made if it is not there; "write", "read": it is
 * there. */
static int sqlite_open(lua_State *L) {
  static const char *const modes[] = {"create", "write", "read", NULL};
  static const int flags[] = {SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SQLITE_OPEN_READWRITE,
                              SQLITE_OPEN_READONLY};
  lua_settop(L, 2);
  sqlite3 **box = lx_push_shell(L, LX_SQLITE);
  int mode = lx_check_choice(L, 2, "sqlite_open", "mode", modes, -1);
  const char *path = lx_check_text(L, 1, "sqlite_open", "path");
  int result = sqlite3_open_v2(path, box, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL);
  if (result == SQLITE_OK) result = set_up(*box);
  return result == SQLITE_OK ? 1 : fault(L, *box, result);
}

static sqlite3 *check_db(lua_State *L, const char *who) {
  return *(sqlite3 **)lx_check(L, 1, LX_SQLITE, who, "self");
}

static const char *check_sql(lua_State *L, const char *who) {
  return lx_check_text(L, 2, who, "sql");
}

/* connection:execute(sql): statements without parameters, whose rows are dropped. */
static int db_execute(lua_State *L) {
  sqlite3 *db = check_db(L, "sqlite:execute");
  int result = sqlite3_exec(db, check_sql(L, "sqlite:execute"), NULL, NULL, NULL);
  if (result != SQLITE_OK) return fault(L, db, result);
  lua_pushboolean(L, 1);
  return 1;
}

/* connection:prepare(sql) -> statement, and the text behind its first statement. */
static int db_prepare(lua_State *L) {
  lua_settop(L, 2);
  sqlite3_stmt **out = lx_push_shell(L, LX_STATEMENT);
  sqlite3 *db = check_db(L, "sqlite:prepare");
  const char *sql = check_sql(L, "sqlite:prepare"), *rest = NULL;
  int result = sqlite3_prepare_v2(db, sql, -1, out, &rest);
  if (result != SQLITE_OK) return fault(L, db, result);
  if (*out == NULL) {
    lua_pushnil(L);
    lua_pushliteral(L, "there is no statement in the text");
    lua_pushliteral(L, "ESQL");
    return 3;
  }
  lua_pushstring(L, rest);
  return 2;
}

/* connection:restrict(): from now on it prepares nothing but SELECT. */
static int db_restrict(lua_State *L) {
  sqlite3 *db = check_db(L, "sqlite:restrict");
  int result = sqlite3_set_authorizer(db, reads_only, NULL);
  if (result != SQLITE_OK) return fault(L, db, result);
  lua_pushboolean(L, 1);
  return 1;
}

/* connection:changes() -> rows that the last statement changed. */
static int db_changes(lua_State *L) {
  lua_pushinteger(L, sqlite3_changes64(check_db(L, "sqlite:changes")));
  return 1;
}

static const luaL_Reg db_methods[] = {{"close", db_end},       {"execute", db_execute},
                                      {"prepare", db_prepare}, {"restrict", db_restrict},
                                      {"changes", db_changes}, {NULL, NULL}};

const lx_class_spec lx_sqlite_class = {
    .name = "sqlite", .size = sizeof(sqlite3 *), .end = db_end, .methods = db_methods};

/* ---- statements */

static int statement_end(lua_State *L) {
  sqlite3_stmt **box = lx_test(L, 1, LX_STATEMENT);
  if (!box) return 0;
  sqlite3_stmt *s = *box;
  *box = NULL;
  (void)sqlite3_finalize(s);
  return 0;
}

static sqlite3_stmt *check_statement(lua_State *L, const char *who) {
  return *(sqlite3_stmt **)lx_check(L, 1, LX_STATEMENT, who, "self");
}

static int bind_number(lua_State *L, sqlite3_stmt *s, int i, int arg) {
  if (lua_isinteger(L, arg)) return sqlite3_bind_int64(s, i, lua_tointeger(L, arg));
  double x = lua_tonumber(L, arg);
  if (isnan(x)) lx_error(L, "statement:bind: value %d is nan, which SQLite cannot hold", i);
  return sqlite3_bind_double(s, i, x);
}

static int bind_value(lua_State *L, sqlite3_stmt *s, int i, int arg) {
  size_t n;
  const char *text;
  switch (lua_type(L, arg)) {
  case LUA_TNIL: return sqlite3_bind_null(s, i);
  case LUA_TBOOLEAN: return sqlite3_bind_int(s, i, lua_toboolean(L, arg));
  case LUA_TNUMBER: return bind_number(L, s, i, arg);
  case LUA_TSTRING:
    text = lua_tolstring(L, arg, &n);
    return sqlite3_bind_text64(s, i, text, n, SQLITE_TRANSIENT, SQLITE_UTF8);
  default:
    return lx_error(L,
                    "statement:bind: value %d must be a number, a string, a boolean or nil, got"
                    " %s",
                    i, lx_push_words(L, arg));
  }
}

/* statement:bind(...): the values of all its parameters; nil is NULL. It starts anew. */
static int statement_bind(lua_State *L) {
  sqlite3_stmt *s = check_statement(L, "statement:bind");
  int n = sqlite3_bind_parameter_count(s), given = lua_gettop(L) - 1;
  if (given != n) lx_error(L, "statement:bind: it has %d parameters, got %d values", n, given);
  (void)sqlite3_reset(s);
  for (int i = 1; i <= n; i++) {
    int result = bind_value(L, s, i, i + 1);
    if (result != SQLITE_OK) return fault(L, sqlite3_db_handle(s), result);
  }
  lua_settop(L, 1);
  return 1;
}

/* statement:step() -> true: there is a row; false: it has ended and will start anew. */
static int statement_step(lua_State *L) {
  sqlite3_stmt *s = check_statement(L, "statement:step");
  int result = sqlite3_step(s);
  if (result != SQLITE_ROW && result != SQLITE_DONE) {
    int values = fault(L, sqlite3_db_handle(s), result);
    (void)sqlite3_reset(s);
    return values;
  }
  if (result == SQLITE_DONE) (void)sqlite3_reset(s);
  lua_pushboolean(L, result == SQLITE_ROW);
  return 1;
}

static void push_column(lua_State *L, sqlite3_stmt *s, int i) {
  switch (sqlite3_column_type(s, i)) {
  case SQLITE_INTEGER: lua_pushinteger(L, sqlite3_column_int64(s, i)); break;
  case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(s, i)); break;
  case SQLITE_NULL: lua_pushnil(L); break;
  case SQLITE_BLOB: {
    const char *bytes = sqlite3_column_blob(s, i); /* NULL if it is empty */
    lua_pushlstring(L, bytes != NULL ? bytes : "", (size_t)sqlite3_column_bytes(s, i));
    break;
  }
  default: {
    const char *text = (const char *)sqlite3_column_text(s, i); /* NULL without memory */
    if (text == NULL) lx_error(L, "not enough memory: statement:row");
    lua_pushlstring(L, text, (size_t)sqlite3_column_bytes(s, i));
  }
  }
}

/* statement:row() -> the values of the row, as many as there are columns. */
static int statement_row(lua_State *L) {
  sqlite3_stmt *s = check_statement(L, "statement:row");
  int n = sqlite3_data_count(s);
  lx_reserve(L, n + 4);
  for (int i = 0; i < n; i++) push_column(L, s, i);
  return n;
}

/* statement:columns() -> their names */
static int statement_columns(lua_State *L) {
  sqlite3_stmt *s = check_statement(L, "statement:columns");
  int n = sqlite3_column_count(s);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushstring(L, sqlite3_column_name(s, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static const luaL_Reg statement_methods[] = {
    {"bind", statement_bind}, {"step", statement_step},       {"row", statement_row},
    {"close", statement_end}, {"columns", statement_columns}, {NULL, NULL}};

const lx_class_spec lx_statement_class = {.name = "statement",
                                          .size = sizeof(sqlite3_stmt *),
                                          .end = statement_end,
                                          .methods = statement_methods};

const luaL_Reg lx_sqlite_functions[] = {{"sqlite_open", sqlite_open}, {NULL, NULL}};

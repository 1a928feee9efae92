/* lua_optimizer.h: hyperparameters and optimizers, as options and arguments. */
#ifndef SW_LUA_OPTIMIZER_H
#define SW_LUA_OPTIMIZER_H

#include "support.h"
#include "train/optimizer.h"

/* "lr", "batch_size", … */
sw_hyper lx_check_hyper(lua_State *L, int arg, const char *who);

/* Pushes the rows and one for each hyperparameter, read into double hyper[] at that offset. */
const lx_option *lx_push_with_hyper(lua_State *L, const lx_option *rows, size_t hyper);

/* Pushes the rows and one for each option that an optimizer has. */
const lx_option *lx_push_with_optimizer(lua_State *L, const lx_option *rows);
/* Reads `optimizer` and its fields from the table of options at arg. */
void lx_read_optimizer(lua_State *L, int arg, const char *who, sw_optimizer_options *o);

#endif

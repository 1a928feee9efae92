/* lua_distribution.c: the normal distribution and Student's t. */
#include "measure/distribution.h"
#include "support.h"

static int normal_cdf(lua_State *L) {
  lx_push_number(L, sw_normal_cdf(lx_check_number(L, 1, "normal_cdf", "x")));
  return 1;
}

static int normal_quantile(lua_State *L) {
  lx_push_number(L, sw_normal_quantile(lx_check_number(L, 1, "normal_quantile", "p")));
  return 1;
}

static int student_cdf(lua_State *L) {
  double t = lx_check_number(L, 1, "student_cdf", "t");
  lx_push_number(L, sw_student_cdf(t, lx_check_number(L, 2, "student_cdf", "df")));
  return 1;
}

static int student_quantile(lua_State *L) {
  double p = lx_check_number(L, 1, "student_quantile", "p");
  lx_push_number(L, sw_student_quantile(p, lx_check_number(L, 2, "student_quantile", "df")));
  return 1;
}

const luaL_Reg lx_distribution_functions[] = {
    {"normal_cdf", normal_cdf},
    {"normal_quantile", normal_quantile},
    {"student_cdf", student_cdf},
    {"student_quantile", student_quantile},
    {NULL, NULL},
};

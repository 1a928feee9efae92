/* c_locale_int.h: numbers are written with a decimal point, whatever locale the program has set.
 *
 * Between the two calls the calling thread uses the locale "C", which is a constant of the C
 * library: nothing is allocated or freed.
 */
#ifndef SW_C_LOCALE_INT_H
#define SW_C_LOCALE_INT_H

#include <locale.h>

/* Returns the locale in effect before, for swi_restore_locale. */
static inline locale_t swi_use_c_locale(void) {
  return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static inline void swi_restore_locale(locale_t before) { (void)uselocale(before); }

#endif

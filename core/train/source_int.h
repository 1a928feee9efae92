/* source_int.h: rows that will be gathered soon. */
#ifndef SW_SOURCE_INT_H
#define SW_SOURCE_INT_H

#include "train/source.h"

/* Lets products prefetch rows index[0 … n-1] while they compute, until swi_source_forget. */
void swi_source_expect(const sw_source *s, const int32_t *index, int64_t n);
void swi_source_forget(const sw_source *s);

#endif

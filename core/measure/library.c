/* library.c: opens shared libraries of the system. */
#include <dlfcn.h>
#include <string.h>

#include "measure/library_int.h"

/* RTLD_LOCAL: its BLAS must not take the place of another one. */
sw_status swi_library_open(sw_context *ctx, swi_library *l) {
  l->handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
  if (l->handle) return SW_OK;
  const char *fault = dlerror();
  if (!fault || strstr(fault, "No such file"))
    return sw_fail(ctx, SW_EUNSUPPORTED, "%s: %s is not installed (%s)", l->who, l->file,
                   l->package);
  return sw_fail(ctx, SW_EUNSUPPORTED, "%s: %s cannot be loaded: %s (%s)", l->who, l->file, fault,
                 l->package);
}

sw_status swi_library_find(sw_context *ctx, const swi_library *l, const char *name,
                           void *function) {
  void *found = dlsym(l->handle, name);
  if (!found)
    return sw_fail(ctx, SW_EUNSUPPORTED, "%s: %s has no function %s", l->who, l->file, name);
  memcpy(function, &found, sizeof found);
  return SW_OK;
}

void swi_library_close(swi_library *l) {
  if (l->handle) dlclose(l->handle);
  l->handle = NULL;
}

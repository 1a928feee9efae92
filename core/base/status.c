/* status.c: names of the statuses. */
#include "base/status.h"

static const char *const names[SW_STATUS_COUNT] = {
    [SW_OK] = "OK",
    [SW_ENOMEM] = "ENOMEM",
    [SW_EARG] = "EARG",
    [SW_ESHAPE] = "ESHAPE",
    [SW_EDTYPE] = "EDTYPE",
    [SW_ERANGE] = "ERANGE",
    [SW_EEMPTY] = "EEMPTY",
    [SW_EUNSUPPORTED] = "EUNSUPPORTED",
    [SW_EIO] = "EIO",
    [SW_ENOSPC] = "ENOSPC",
    [SW_ECORRUPT] = "ECORRUPT",
    [SW_ENAN] = "ENAN",
    [SW_EINTERRUPTED] = "EINTERRUPTED",
};

const char *sw_status_name(sw_status status) {
  return (unsigned)status < SW_STATUS_COUNT ? names[status] : "unknown status";
}

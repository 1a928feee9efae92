/* status.h: what every fallible function of the core returns.
 *
 * A result other than SW_OK leaves one sentence in the context (sw_message), formatted where the
 * fault was found. Outputs are written on success only, unless a function says otherwise.
 */
#ifndef SW_STATUS_H
#define SW_STATUS_H

#if defined(__GNUC__)
#define SW_API __attribute__((visibility("default")))
#define SW_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SW_API
#define SW_PRINTF(f, a)
#endif

typedef enum sw_status {
  SW_OK = 0,
  SW_ENOMEM,       /* an allocation failed, or was made to */
  SW_EARG,         /* misuse: an argument of the wrong kind */
  SW_ESHAPE,       /* misuse: shapes that do not match */
  SW_EDTYPE,       /* misuse: element types that do not match */
  SW_ERANGE,       /* misuse: a number outside its range */
  SW_EEMPTY,       /* misuse: there is no value yet */
  SW_EUNSUPPORTED, /* not possible here, by design or on this machine */
  SW_EIO,          /* the environment: a file or the disk */
  SW_ENOSPC,   /* the environment: the disk is full, or a quota or a limit of files is reached */
  SW_ECORRUPT, /* the environment: a file that is not well formed */
  SW_ENAN,     /* a loss that is not finite */
  SW_EINTERRUPTED, /* the user asked to stop */
  SW_STATUS_COUNT
} sw_status;

/* "ENOMEM", "ESHAPE", …; "OK" for SW_OK. Never NULL. */
SW_API const char *sw_status_name(sw_status status);

/* Returns a failure to the caller; the message stays. */
#define SW_TRY(expr)                            \
  do {                                          \
    sw_status try_status = (expr);              \
    if (try_status != SW_OK) return try_status; \
  } while (0)

#endif

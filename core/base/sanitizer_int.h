/* sanitizer_int.h: which sanitizers this is compiled for. gcc defines a macro for each; clang has
 * __has_feature. */
#ifndef SW_SANITIZER_INT_H
#define SW_SANITIZER_INT_H

#ifdef __has_feature
#define SWI_HAS_FEATURE(feature) __has_feature(feature)
#else
#define SWI_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SWI_HAS_FEATURE(address_sanitizer)
#define SWI_UNDER_ASAN 1
#else
#define SWI_UNDER_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || SWI_HAS_FEATURE(thread_sanitizer)
#define SWI_UNDER_TSAN 1
#else
#define SWI_UNDER_TSAN 0
#endif

#endif

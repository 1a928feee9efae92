/* near.h: comparing numbers up to a relative error. */
#ifndef SW_NEAR_H
#define SW_NEAR_H

#include "check.h"

/* Fails unless got is within tolerance * max(1, |want|) of want. */
static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
    fail_msg("got %.17g, want %.17g", got, want);
}

#endif

// SPDX-License-Identifier: MIT
// The normal and Student's t distributions: probabilities and quantiles, with small relative errors in both tails
// (about 1e-13 for the normal one, 1e-12 for t), because p-values and adjusted levels live there.
//
// Method: the normal probability is the C library's erfc; t's is the regularised incomplete beta function by its
// continued fraction (the even part of NIST DLMF 8.17.22, evaluated as W. J. Lentz, Applied Optics 15 (1976), 668-671),
// with the ratio of gamma functions taken as one (DLMF 5.11.13), so that it does not cancel for many degrees of
// freedom. Quantiles are found by Newton's method (Halley's for the normal one) on the tail, or on the part around the
// middle, whichever is known better. A tail that leaves the range of double is taken by its logarithm: quantiles are
// good down to the least p there is. Thread contract: any thread; nothing fails, impossible arguments give NaN.
#ifndef PC_SPECIAL_H
#define PC_SPECIAL_H

#include "base/pc_common.h"

// P(Z <= x).
double pc_normal_cdf(double x);

// x with P(Z <= x) = p; infinite for 0 and 1, NaN outside [0, 1].
double pc_normal_quantile(double p);

// P(T > |t|) * 2 for `df` > 0 degrees of freedom, which need not be whole and may be infinite.
double pc_student_two_sided(double t, double df);

// P(T <= t).
double pc_student_cdf(double t, double df);

// t with P(T <= t) = p; infinite for 0 and 1 and where no double can hold it.
double pc_student_quantile(double p, double df);

#endif

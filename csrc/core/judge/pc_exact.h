// SPDX-License-Identifier: MIT
// The correctly rounded mean and sample standard deviation of doubles: the double nearest to the true value, ties to
// even, whatever the order, the cancellation or the spread of magnitudes. This is what Python's statistics.mean and
// statistics.stdev return for floats (3.11 and later), so the results are the same bit for bit.
//
// Method: no rounding until the end. Every finite double is an integer m times 2^(e - 1075); sums of m and of m * m
// are kept in fixed-point integers, one pair for each exponent e that occurs (a "large superaccumulator": R. M. Neal,
// "Fast exact summation using small and large superaccumulators", 2015, arXiv:1505.05571, extended to squares). A run
// of values within 2^10 of each other is first summed in registers. At the end the accumulators are added up into one
// integer sum S and one of squares Q; the mean is S / n and the variance (n Q - S^2) / (n (n - 1)), both exact
// fractions, divided or rooted with a sticky bit and rounded once.
// Thread contract: any thread; the values must not change meanwhile. Stack: about 4 KiB. The heap is used only when the
// values span more than 64 binades (80 KiB at most).
#ifndef PC_EXACT_H
#define PC_EXACT_H

#include "base/pc_common.h"

typedef struct pc_moments {
    double mean;
    double stddev; // sample standard deviation (n - 1); 0 for one value; infinity where it exceeds the largest double
} pc_moments;

// The moments of `length` values, all finite, 1 <= length <= UINT32_MAX, whose least and greatest are `lowest` and
// `highest`. -ENOMEM, only for data that span more than 64 binades.
int pc_moments_compute(const double *values, size_t length, double lowest, double highest,
                       pc_moments *moments) PC_NODISCARD;

#endif

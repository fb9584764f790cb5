// SPDX-License-Identifier: MIT
// Hodges-Lehmann estimates: the shift between two samples (the median of all differences x - y) and the center of one
// (the median of all means of two of its values), each with the confidence interval that goes with its rank test.
//
// Method: J. L. Hodges, E. L. Lehmann, Ann. Math. Statist. 34 (1963), 598-611; intervals: Hollander, Wolfe, Chicken,
// "Nonparametric Statistical Methods", 3rd ed. 2014, sections 3.3 and 4.3, from the exact null distribution where
// judge/pc_rank_null.h has it, else from the normal approximation. The n m differences are never stored: with both
// samples sorted, one pass counts how many are at most some v, and bisecting on the bits of v finds any order
// statistic, exactly, in at most 64 passes.
// Memory: 8 bytes a value, and 32 for each of the sample that is being put in order; for an exact interval 8 for each
// combination, of which there are a million at most then. Values are finite; a difference past the greatest double
// counts as infinite. Thread contract: any thread.
#ifndef PC_SHIFT_H
#define PC_SHIFT_H

#include "base/pc_common.h"

typedef struct pc_shift {
    double estimate;
    double low, high; // the interval; both infinite where the samples are too small for the level
    double level;     // achieved, or nominal where it comes from the normal approximation; 1 for an infinite interval
} pc_shift;

// The shift from y to x at `level`, 0 < level < 1. -EINVAL: a sample is empty; -EOVERFLOW: over 2^31 values; -ENOMEM.
int pc_shift_two_sample(const double *x, size_t n, const double *y, size_t m, double level,
                        pc_shift *result) PC_NODISCARD;

// The center of x, for symmetric distributions their mean and median. As above.
int pc_shift_one_sample(const double *x, size_t n, double level, pc_shift *result) PC_NODISCARD;

// The estimate alone, of 0 < n < 2^31 values in ascending order. Does not allocate.
double pc_shift_center(const double *sorted, size_t n);

#endif

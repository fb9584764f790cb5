// SPDX-License-Identifier: MIT
// Two tests that look at the order of values alone, so that spikes cost nothing: the rank-sum test of two samples and
// the signed-rank test of differences.
//
// Method: F. Wilcoxon, Biometrics Bulletin 1 (1945), 80-83; H. B. Mann and D. R. Whitney (1947). P-values are exact
// where the distribution can be enumerated (judge/pc_rank_null.h), else from the normal approximation with the
// variance corrected for ties and half a unit for continuity (M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric
// Statistical Methods", 3rd ed. 2014, sections 3.1 and 4.1). Two-sided ones are twice the smaller tail, at most 1.
// Values are finite. Memory: 36 bytes a value. Thread contract: any thread.
#ifndef PC_RANK_TEST_H
#define PC_RANK_TEST_H

#include "base/pc_common.h"

typedef enum pc_rank_method { PC_RANK_AUTO, PC_RANK_EXACT, PC_RANK_NORMAL } pc_rank_method;

typedef struct pc_rank_test {
    double statistic; // U: pairs with x above y, ties half; W: the sum of ranks of positive differences
    double less;      // P of a statistic this small or smaller
    double greater;   // P of one this great or greater
    double two_sided;
    double z;     // the normal deviate with its correction, NaN where the p-values are exact
    size_t count; // values compared: n + m, or the differences that are not zero
} pc_rank_test;

// Compare the samples x and y. AUTO is exact where there are no ties and the sizes allow it. -EINVAL: a sample is
// empty; -ERANGE: EXACT was asked for and cannot be had; -EOVERFLOW: over 2^31 values; -ENOMEM.
int pc_rank_sum(const double *x, size_t n, const double *y, size_t m, pc_rank_method method,
                pc_rank_test *result) PC_NODISCARD;

// Test whether differences are symmetric about zero; zeros among them are dropped (Wilcoxon's way). AUTO is exact for
// up to 60, with ties too. -EINVAL: none is different from zero; else as above.
int pc_signed_rank(const double *differences, size_t count, pc_rank_method method, pc_rank_test *result) PC_NODISCARD;

#endif

// SPDX-License-Identifier: MIT
// The second half of the windowed search (pc_windowed.h): tests the weak change points of all windows against their
// neighbours, and drops those that do not hold.
//
// Method: the point with the greatest p-value goes, its two right neighbours are tested again, until all are below the
// wanted one; then the one of the least magnitude goes, and so on. What is dropped, and in which order, decides what is
// left, so the order is exactly that of a scan for the first greatest value. A tournament tree finds it in logarithmic
// time. A test depends on three positions and on points that never change, so its result is kept: after an append only
// the tests about the end of the series are computed. Kept results are given up when they far outnumber the points.
// Memory: about 200 bytes a weak point. Thread contract: single owner.
#ifndef PC_THINNING_H
#define PC_THINNING_H

#include "judge/pc_prefix.h"
#include "judge/pc_windowed.h"

typedef struct pc_thinning pc_thinning;

// A series as prefix sums: `length` + 1 of them, about the first value.
typedef struct pc_thinning_series {
    const pc_prefix *prefixes;
    double first;
    size_t length;
} pc_thinning_series;

// Make one that has no results yet. -ENOMEM.
int pc_thinning_make(double max_pvalue, double min_magnitude, pc_thinning **thinning) PC_NODISCARD;

// Release it; NULL is allowed.
void pc_thinning_free(pc_thinning *thinning);

// The p-value of Student's two-sample t-test between the points from `start` and those from `middle`, up to `end`: with
// equal variances, on those of populations. NaN where both sides are the same constant.
double pc_thinning_pvalue(const pc_prefix *prefixes, size_t start, size_t middle, size_t end);

// Test `weak_count` positions in ascending order, and give those that hold, in an array for pc_free. The series must be
// that of all earlier calls, or a continuation of it. -ENOMEM.
int pc_thinning_run(pc_thinning *thinning, const pc_thinning_series *series, const size_t *weak, size_t weak_count,
                    pc_change **changes, size_t *count) PC_NODISCARD;

#endif

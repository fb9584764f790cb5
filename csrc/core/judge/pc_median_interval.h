// SPDX-License-Identifier: MIT
// The distribution-free confidence interval of a median: two order statistics of the sample, chosen so that whatever
// the (independent, identically distributed) samples' distribution, the median lies between them with at least the
// probability asked for. For continuous distributions the coverage is exactly the achieved level.
//
// Method: of n samples the number below the median is binomial(n, 1/2); the interval from the k-th least to the k-th
// greatest misses the median with probability 2 P(B <= k - 1). k is the largest for which that is at most 1 - level
// (H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed. 2003, section 7.1; G. J. Hahn, W. Q. Meeker, "Statistical
// Intervals", 1991, section 5.2). The binomial distribution is summed term by term for every n, from the tail inwards,
// with a relative error below 1e-10; no normal approximation is made. That takes of the order of sqrt(n) steps: 5
// microseconds for a thousand samples, 0.2 ms for a million.
// Thread contract: any thread.
#ifndef PC_MEDIAN_INTERVAL_H
#define PC_MEDIAN_INTERVAL_H

#include "base/pc_common.h"

typedef struct pc_median_interval {
    size_t low, high; // ranks of the end points, 0 is the least sample
    double level;     // achieved
} pc_median_interval;

// The interval for `length` samples at `level`, 0 < level < 1. -ERANGE when there are too few samples for the level
// (5 or fewer for 0.95).
int pc_median_interval_find(size_t length, double level, pc_median_interval *interval) PC_NODISCARD;

#endif

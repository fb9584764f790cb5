// SPDX-License-Identifier: MIT
// Bootstrap intervals of the ratio of two samples' medians or means: how much slower is head than base?
//
// Method: B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993: both samples are resampled with
// replacement, the percentile interval takes quantiles of the resampled ratios (chapter 13), the BCa interval moves
// those for bias and for acceleration, the latter from leaving out each value of either sample once (chapter 14;
// Efron, J. Amer. Statist. Assoc. 82 (1987), 171-185). A resample of a sorted sample is only counted, not stored: its
// median is read off the counts. The same seed gives the same interval everywhere.
// Values are finite. Memory: 8 bytes a resample, 8 a value and 4 for each of the larger sample; and 32 for each of the
// resamples, or of the values of one sample, while these are put in order. Thread contract: any thread.
#ifndef PC_BOOTSTRAP_H
#define PC_BOOTSTRAP_H

#include "base/pc_common.h"

typedef struct pc_bootstrap_options {
    bool mean;          // ratio of means instead of medians
    bool bca;           // BCa instead of percentile
    uint32_t resamples; // at least 100
    double level;       // 0 < level < 1
    uint64_t seed;
} pc_bootstrap_options;

typedef struct pc_bootstrap {
    double ratio; // of the samples themselves: head / base
    double low, high;
    double standard_error; // standard deviation of the resampled ratios
} pc_bootstrap;

// -EINVAL: a sample is empty; -EDOM: a median or mean of base, or of a resample of it, is not positive; -EOVERFLOW:
// 2^31 values or more; -ENOMEM.
int pc_bootstrap_ratio(const double *base, size_t n, const double *head, size_t m, const pc_bootstrap_options *options,
                       pc_bootstrap *result) PC_NODISCARD;

#endif

// SPDX-License-Identifier: MIT
// Change points of a series that has spikes, autocorrelation or two modes: the robust mode.
//
// Method: single spikes give way to the median of the five points around them, and the values to their ranks, so that
// no magnitude weighs more than another. Optimal partitioning (pc_partition.h) splits the ranks into levels, each
// change costing a penalty. The penalty is what the best split of the series would gain by chance: a quantile over
// seeded permutations of the residuals, which have the series' own distribution, its modes and ties included, times (1
// + r) / (1 - r) for a lag-one autocorrelation of r up to 0.6 (the factor by which the variance of long means grows).
// Since residuals need levels and levels a penalty, the first penalty comes from the differences of neighbours, which a
// few changes hardly touch, and the two are repeated until they agree. Each change then moves, by at most min_length,
// to where the values lie nearest to the medians of its two levels. In the end each must pass a rank-sum test between
// its neighbouring levels, with its deviate reduced by the same factor; the least significant goes first. Values are
// finite. Time: some 0.7 ms for 1000 points and 9 ms for 10 000, half of it for the permutations, with changes or
// without; 0.45 ms for each of many series of 1000. Memory: 148 bytes a point, and 48 for each level that there could
// be. Thread contract: any thread, but what is kept for many series has one owner.
#ifndef PC_LEVELS_H
#define PC_LEVELS_H

#include "base/pc_common.h"
#include "judge/pc_shuffle.h"

typedef struct pc_levels_options {
    size_t min_length;    // of a level, at least 2
    double false_alarm;   // wanted probability of any change in a series without one, 0.005 to 0.5
    double max_pvalue;    // of the rank-sum tests, 0 < max_pvalue <= 1
    double min_magnitude; // relative change of the median from which a change counts
    uint64_t seed;
} pc_levels_options;

typedef struct pc_level_change {
    size_t index; // of the first point of the new level
    double pvalue;
    double before, after; // medians of the levels
    double magnitude;     // the greater relative change, forwards or backwards
} pc_level_change;

// Find the changes, in ascending order, in an array for pc_free. `kept` is NULL for one series; for many, *kept is NULL
// at first and the caller's to free with pc_shuffle_free: it spares series of the same length most of the drawing.
// -EOVERFLOW: over 2^31 values; -ENOMEM.
int pc_levels_find(const double *values, size_t length, const pc_levels_options *options, pc_shuffle **kept,
                   pc_level_change **changes, size_t *count) PC_NODISCARD;

#endif

// SPDX-License-Identifier: MIT
// Order statistics: the values of many ranks at once, exactly those that a stable sort would put there (the sign of a
// zero included), without sorting and without a copy of the data.
//
// Method: distribution counting and radix selection. One pass counts the data in equal intervals; the intervals
// ("cells") that hold a wanted rank are kept. A second pass gathers the members of small cells, where quickselect
// finishes, and finds the least and greatest of large ones. A large cell of one value is done (timers are quantised, so
// this is common); the others are counted again over their own range, now on the bits of the doubles, mapped to
// unsigned integers ("keys") of the same order. Each round shrinks a cell eightfold at least, most often a
// thousandfold. Two passes are the rule, three where the data are quantised.
// Memory: a workspace of about 100 KiB and a quarter byte for each value.
// Thread contract: a workspace has a single owner; the values must not change meanwhile.
#ifndef PC_SELECT_H
#define PC_SELECT_H

#include "base/pc_common.h"

enum { PC_SELECT_RANKS = 24 };

typedef struct pc_select {
    void *block;
    uint64_t *keys; // gathered
    uint32_t *bins;
    uint8_t *owners; // for each bin of the first count: its first cell
    size_t key_capacity;
    size_t bin_capacity;
} pc_select;

// Make a workspace for `length` values. -ENOMEM.
int pc_select_init(pc_select *work, size_t length) PC_NODISCARD;

// Release it.
void pc_select_clear(pc_select *work);

// Store into results[i] the value of rank ranks[i] (0 is the least) among `length` <= UINT32_MAX values without NaN.
// The ranks are in ascending order, without repetition, at most PC_SELECT_RANKS of them. [lowest, highest] is where
// the values lie: the results do not depend on it, only the number of passes.
void pc_select_values(const pc_select *work, const double *values, size_t length, double lowest, double highest,
                      const size_t *ranks, size_t rank_count, double *results);

// The same for the distances |value - center|, which are not stored anywhere. [lowest, highest] is where the wanted
// distances are expected.
void pc_select_distances(const pc_select *work, const double *values, size_t length, double center, double lowest,
                         double highest, const size_t *ranks, size_t rank_count, double *results);

#endif

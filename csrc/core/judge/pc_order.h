// SPDX-License-Identifier: MIT
// Values put in order together with where they came from, and their ranks: what the rank tests start from.
// Method: a merge sort from the bottom up over runs sorted by insertion; stable, O(n log n) whatever the data.
// Values are finite. Thread contract: the arrays have a single owner.
#ifndef PC_ORDER_H
#define PC_ORDER_H

#include "base/pc_common.h"

typedef struct pc_ordered {
    double value;
    uint32_t index; // where the value came from
} pc_ordered;

// Sort `items` by value, equal ones in the order they have. `scratch` has room for as many. Returns the one of the two
// arrays that holds the result.
pc_ordered *pc_order_sort(pc_ordered *items, pc_ordered *scratch, size_t count) PC_NODISCARD;

// Store into doubled_ranks[items[i].index] twice the mean rank (from 1) of the value among the sorted items: a whole
// number. Returns the sum over groups of t^3 - t for t equal values.
double pc_order_ranks(const pc_ordered *items, size_t count, uint32_t *doubled_ranks);

// Copy `values` in ascending order into `sorted`; that takes 32 bytes a value meanwhile. -ENOMEM.
int pc_order_values(const double *values, size_t count, double *sorted) PC_NODISCARD;

#endif

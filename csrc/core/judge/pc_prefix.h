// SPDX-License-Identifier: MIT
// Prefix sums of a series and of its squares in double-double, from which the mean and variance of any part follow in
// constant time, as exact as sums over the part itself.
//
// Method: error-free sums and products (D. E. Knuth, TAOCP vol. 2, 4.2.2; T. J. Dekker, Numer. Math. 18 (1971),
// 224-242), about the first value, so that constants give exact zeros. Needs -ffp-contract=off and no -ffast-math.
// Magnitudes stay below 1e150. Thread contract: single owner while a value is added.
#ifndef PC_PREFIX_H
#define PC_PREFIX_H

#include "base/pc_common.h"

typedef struct pc_wide {
    double high, low; // their sum, with |low| at most half a unit of the last place of high
} pc_wide;

typedef struct pc_prefix {
    pc_wide sum, squares; // over all earlier values, of the distance from the first one
} pc_prefix;

typedef struct pc_part {
    pc_wide mean; // distance of the mean from the first value
    double variance;
    double count;
} pc_part;

// The prefix sums with one more value, `distance` from the first one being its exact difference.
pc_prefix pc_prefix_add(pc_prefix before, double value, double first);

// The part between two prefixes, `count` > 0 values.
pc_part pc_prefix_part(const pc_prefix *begin, const pc_prefix *end, size_t count);

// mean(a) - mean(b), rounded once.
double pc_prefix_mean_difference(const pc_part *a, const pc_part *b);

#endif

// SPDX-License-Identifier: MIT
// The cheapest split of a series into levels, when each level costs a penalty and its squares around its mean.
//
// Method: optimal partitioning (B. Jackson and others, IEEE Signal Process. Lett. 12 (2005), 105-108). A start of the
// last level is given up once another is better whatever the level's mean (functional pruning: R. Maidstone, T.
// Hocking, G. Rigaill, P. Fearnhead, Stat. Comput. 27 (2017), 519-533, with intervals for the sets of means). The
// candidates that are left lie in arrays of their own, so that what is computed for all of them is loops over doubles
// without branches, which the compiler makes two values wide: half the time of one candidate after the other.
// The series is given by its prefix sums; values are whole numbers within plus and minus its length, as ranks are.
// Time: O(n) times the candidates, of which there are some forty. Thread contract: the arrays have a single owner.
#ifndef PC_PARTITION_H
#define PC_PARTITION_H

#include "base/pc_common.h"

// The doubles of workspace that a series of `length` points takes.
#define PC_PARTITION_DOUBLES(length) (10 * ((length) + 1))

// Split a series of `length` < 2^31 points into levels of at least `least` points (1 <= least <= length). sums[i] is
// the sum of the first i values. The ends of the levels are put into `cuts`, which has room for length / least, in
// ascending order; the last is `length`. Returns how many there are.
size_t pc_partition_find(const double *sums, size_t length, size_t least, double penalty, double *workspace,
                         size_t *cuts);

#endif

// SPDX-License-Identifier: MIT
// What the best split of a series gains by chance: the gains over permutations of it, which pc_levels calibrates its
// penalty by.
//
// Method: Fisher-Yates from a seeded generator, each permutation going on from the order that the last one left. Which
// values it puts where depends on the length and the seed alone, so for many series the orders are drawn once and kept.
// They lie four side by side, so that one pass sums four permutations at once: a quarter of the time of drawing them.
// Memory: kept, 800 bytes a point for each round that was asked for, of series of up to PC_SHUFFLE_KEPT points; else 8
// bytes a point.
// Thread contract: single owner.
#ifndef PC_SHUFFLE_H
#define PC_SHUFFLE_H

#include "base/pc_common.h"

enum {
    PC_SHUFFLE_COUNT = 199, // permutations of a round
    PC_SHUFFLE_ROUNDS = 4,
    PC_SHUFFLE_KEPT = 4096,
};

typedef struct pc_shuffle pc_shuffle;

// Have permutations of `length` < 2^31 values, split into parts of at least `least` (2 * least <= length). Those in
// *shuffle are used again if they are the same and kept; else they are freed, and *shuffle is the new ones. NULL at
// first. `keep` is for those who will ask for the same again. -ENOMEM, with *shuffle as it was.
int pc_shuffle_prepare(pc_shuffle **shuffle, size_t length, size_t least, uint64_t seed, bool keep) PC_NODISCARD;

// Release it; NULL is allowed.
void pc_shuffle_free(pc_shuffle *shuffle);

// For each permutation of the next round, the greatest gain over all splits: the squared sum of the values before it
// times its weight, weights[i] for i values before it. Rounds follow each other from the first after pc_shuffle_prepare
// on; there are PC_SHUFFLE_ROUNDS. -ENOMEM, with the round still to come.
int pc_shuffle_gains(pc_shuffle *shuffle, const double *values, const double *weights,
                     double gains[PC_SHUFFLE_COUNT]) PC_NODISCARD;

#endif

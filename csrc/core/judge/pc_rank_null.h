// SPDX-License-Identifier: MIT
// The null distributions of the rank-sum statistic U and of the signed-rank statistic W, exactly.
//
// Method: numbers of arrangements, as whole numbers of 128 bits. For U they are the coefficients of the Gaussian
// binomial coefficient, built factor by factor (H. B. Mann, D. R. Whitney, Ann. Math. Statist. 18 (1947), 50-60; the
// product form: G. E. Andrews, "The Theory of Partitions", 1976, chapter 3); for W those of prod (1 + q^rank), which
// takes equal ranks too. Only the lower half is ever built; both distributions are symmetric.
// A distribution is built for a given sample size once and then asked. Thread contract: a distribution has a single
// owner while it is built, and may then be read by any thread.
#ifndef PC_RANK_NULL_H
#define PC_RANK_NULL_H

#include "base/pc_common.h"

typedef struct pc_rank_null pc_rank_null;

// Whether U's distribution for samples of these sizes is within reach: the counts fit, and it takes about a
// millisecond at most (60 values and 60; 8 and 15000).
bool pc_rank_null_has_sum(size_t n, size_t m);

// The distribution of U for samples of n and m values without ties, of which pc_rank_null_has_sum holds. -ENOMEM.
int pc_rank_null_sum(size_t n, size_t m, pc_rank_null **null) PC_NODISCARD;

// How many ranks signed-rank distributions go up to.
enum { PC_RANK_NULL_SIGNED = 60 };

// The distribution of the sum of the positive ones of these ranks, which are given doubled, 1 <= count <= 60.
// -ENOMEM.
int pc_rank_null_signed(const uint32_t *doubled_ranks, size_t count, pc_rank_null **null) PC_NODISCARD;

// Release a distribution; NULL is allowed.
void pc_rank_null_free(pc_rank_null *null);

// The probability of a sum of at most `sum` (of doubled ranks for W).
double pc_rank_null_at_most(const pc_rank_null *null, uint64_t sum);

// The greatest k for which P(sum < k) <= tail, and that probability.
size_t pc_rank_null_critical(const pc_rank_null *null, double tail, double *probability);

#endif

// SPDX-License-Identifier: MIT
// The sequential decision of `perfcore ab`: is head slower than base, from pairs of processes that were measured in
// turns?
//
// The pair of processes is the unit of inference: what varies is the process (memory layout, hash seed), so the rounds
// of one are no error term. Each pair gives one effect, the median over its blocks of ln(head / base). Over the effects
// the Hodges-Lehmann estimate (the median of the means of all pairs of effects; Hodges and Lehmann 1963), and around it
// the interval of a trimmed mean: Student's with the deviation of the winsorised effects, a tenth of them, rounded
// down, at each end (J. W. Tukey, D. H. McLaughlin, Sankhya A 25 (1963), 331-352). A processor that runs at half its
// speed for a moment leaves single effects of 10 to 30 %, and one of them would hide what all others show.
//
// Every look, after the 4th effect, the 5th, ..., has the same level (S. J. Pocock, Biometrika 64 (1977), 191-199):
// alpha / (1 + 6.5 ln((looks + 3) / 4)) where there are at most so many. For alpha = 0.001 and normal effects, the
// divisor must be 3.8 with 5 looks, 6.4 with 9, 10.9 with 21, 16.0 with 45, 21.6 with 97 (simulation of 500 000
// series); it is 5.5, 8.1, 12.6, 17.2, 21.9. For long tails less would do; a greater alpha needs less, too.
//
// With t = ln(1 + threshold), [low, high] the interval and e the estimate, on the scale of logarithms:
//   detect:  regression if low > 0 and e > t / 2; improvement if high < 0 and e < -t / 2;
//   exceeds: regression if low > t;               improvement if high < -t;
//   both:    else ok if high < t; else undecided, and one more pair may tell.
// Greater is worse. Thread contract: any thread.
#ifndef PC_PAIRS_H
#define PC_PAIRS_H

#include "base/pc_common.h"

enum { PC_PAIRS_LEAST = 4 }; // effects before the first look

typedef enum pc_pairs_status {
    PC_PAIRS_UNDECIDED,
    PC_PAIRS_OK,
    PC_PAIRS_IMPROVEMENT,
    PC_PAIRS_REGRESSION,
} pc_pairs_status;

typedef enum pc_pairs_mode { PC_PAIRS_DETECT, PC_PAIRS_EXCEEDS } pc_pairs_mode;

typedef struct pc_pairs_rule {
    pc_pairs_mode mode;
    double threshold; // relative slow-down that matters: 0.05 is 5 %; above 0
    double alpha;     // the chance, over all looks, that one side of the interval misses; in (0, 0.5)
    uint32_t looks;   // how many there can be; from 1
} pc_pairs_rule;

typedef struct pc_pairs_verdict {
    pc_pairs_status status;
    double estimate;  // of ln(head / base)
    double low, high; // its interval; -inf and inf with fewer than PC_PAIRS_LEAST effects
    double p_value;   // of "head is not slower" (not by more than the threshold: `exceeds`), over all looks; at most 1
} pc_pairs_verdict;

// The effect of one pair: the median over `blocks` pairs of neighbouring blocks of ln(head / base); any unit.
// -EINVAL without blocks; -EDOM when a figure is not above 0 and finite; -EOVERFLOW: over 2^32 - 1; -ENOMEM.
int pc_pairs_effect(const double *base, const double *head, size_t blocks, double *effect) PC_NODISCARD;

// Judge `count` effects. -EINVAL for a rule out of range and without effects; -EDOM when an effect is not finite;
// -EOVERFLOW: 2^31 effects; -ENOMEM.
int pc_pairs_judge(const double *effects, size_t count, const pc_pairs_rule *rule,
                   pc_pairs_verdict *verdict) PC_NODISCARD;

// The names that reports use; static text.
const char *pc_pairs_name(pc_pairs_status status);

#endif

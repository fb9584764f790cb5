// SPDX-License-Identifier: MIT
// A small, fast, seeded generator of random bits, so that resampling gives the same answer on every machine.
// Method: xoshiro256** (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021),
// article 36), its state filled by splitmix64 as they advise. Not for secrets.
// Thread contract: a generator has a single owner.
#ifndef PC_RNG_H
#define PC_RNG_H

#include "base/pc_common.h"

typedef struct pc_rng {
    uint64_t state[4]; // never all zero
} pc_rng;

// Start the sequence that belongs to `seed`; every seed is good.
void pc_rng_seed(pc_rng *rng, uint64_t seed);

// The next 64 random bits.
static inline uint64_t pc_rng_next(pc_rng *rng)
{
    uint64_t *s = rng->state;
    const uint64_t scrambled = s[1] * 5;
    const uint64_t result = (scrambled << 7 | scrambled >> 57) * 9;
    const uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

// A number below `bound` > 0, each equally likely: multiply and shift, with the few biased products refused
// (D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019), article 3).
static inline uint32_t pc_rng_below(pc_rng *rng, uint32_t bound)
{
    assert(bound > 0);
    uint64_t product = (pc_rng_next(rng) >> 32) * bound;
    if (PC_UNLIKELY((uint32_t)product < bound)) {
        const uint32_t biased = (0u - bound) % bound;
        while ((uint32_t)product < biased)
            product = (pc_rng_next(rng) >> 32) * bound;
    }
    return (uint32_t)(product >> 32);
}

#endif

// SPDX-License-Identifier: MIT
// Seeding (see the header). splitmix64: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014, 453-472. Its outputs are a
// permutation of its counter, so that four in a row cannot all be zero.
#include "base/pc_rng.h"

void pc_rng_seed(pc_rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        rng->state[i] = z ^ z >> 31;
    }
}

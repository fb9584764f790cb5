// SPDX-License-Identifier: MIT
// Ranks of the median's confidence interval (see the header). The binomial probabilities are kept relative to the
// middle one, so that nothing underflows before it is negligible; their total gives the scale.
#include "judge/pc_median_interval.h"

int pc_median_interval_find(size_t length, double level, pc_median_interval *interval)
{
    assert(level > 0.0 && level < 1.0);
    const double n = (double)length;
    const double miss = 1.0 - level;
    // Outwards from the middle term, until what remains is negligible beside the probability of a miss.
    const size_t middle = length / 2;
    const double negligible = miss * 0x1p-64;
    double weight = 1.0, outer = 0.0;
    size_t term = middle;
    while (term > 0 && weight > negligible) {
        weight *= (double)term / (n - (double)term + 1.0);
        outer += weight;
        term--;
    }
    const double total = 2.0 * outer + (length % 2 ? 2.0 : 1.0);
    // Inwards again. The slack lets a level be met that equals an achievable one but for rounding.
    const double allowed = 0.5 * miss * total * (1.0 + 1e-10);
    double tail = 0.0, accepted = 0.0;
    size_t k = 0;
    for (; term <= middle; term++) {
        tail += weight;
        if (tail > allowed)
            break;
        accepted = tail;
        k = term + 1;
        weight *= (n - (double)term) / ((double)term + 1.0);
    }
    if (k == 0)
        return -ERANGE;
    *interval = (pc_median_interval){.low = k - 1, .high = length - k, .level = 1.0 - 2.0 * accepted / total};
    return 0;
}

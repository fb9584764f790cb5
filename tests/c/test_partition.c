// SPDX-License-Identifier: MIT
// pc_partition: the levels that it finds are those of a search without pruning, over ranks of many shapes.
#include "check.h"

#include <math.h>

#include "base/pc_rng.h"
#include "judge/pc_partition.h"

enum { MOST = 160 };

// The same search over all starts; returns how many levels there are.
static size_t search_all(const double *sums, size_t length, size_t least, double penalty, size_t *cuts)
{
    double costs[MOST + 1] = {-penalty};
    size_t previous[MOST + 1] = {0};
    for (size_t end = 1; end <= length; end++) {
        double best = INFINITY;
        for (size_t start = 0; start + least <= end; start++) {
            const double sum = sums[end] - sums[start];
            const double cost = costs[start] - sum * sum / (double)(end - start);
            if (cost < best) {
                best = cost;
                previous[end] = start;
            }
        }
        costs[end] = best + penalty;
    }
    size_t count = 0;
    for (size_t end = length; end > 0; end = previous[end])
        cuts[count++] = end;
    return count;
}

// Fill in the prefix sums of one of several shapes: noise, steps, a ramp, two modes, constants.
static void make_sums(pc_rng *rng, unsigned shape, size_t length, double *sums)
{
    sums[0] = 0.0;
    for (size_t i = 0; i < length; i++) {
        const double noise = (double)pc_rng_below(rng, (uint32_t)length) - (double)length / 2.0;
        double value = 0.0;
        switch (shape % 5) {
        case 0:
            value = noise;
            break;
        case 1:
            value = noise / 4.0 + (i / 37 % 2 == 0 ? -1.0 : 1.0) * (double)length / 4.0;
            break;
        case 2:
            value = (double)i - (double)length / 2.0;
            break;
        case 3:
            value = noise > 0.0 ? (double)length / 2.0 : -(double)length / 2.0;
            break;
        default:
            break;
        }
        sums[i + 1] = sums[i] + rint(value);
    }
}

int main(void)
{
    static double sums[MOST + 1], workspace[PC_PARTITION_DOUBLES(MOST)];
    static size_t cuts[MOST], expected[MOST];
    pc_rng rng;
    pc_rng_seed(&rng, 7);
    for (unsigned round = 0; round < 600; round++) {
        const size_t length = 1 + pc_rng_below(&rng, MOST);
        const size_t least = 1 + pc_rng_below(&rng, (uint32_t)(length < 9 ? length : 9));
        const double penalty = (double)length * (double)length * (0.05 + 0.37 * (double)(round % 11));
        make_sums(&rng, round, length, sums);
        const size_t wanted = search_all(sums, length, least, penalty, expected);
        const size_t count = pc_partition_find(sums, length, least, penalty, workspace, cuts);
        CHECK(count == wanted && cuts[count - 1] == length);
        for (size_t i = 0; i < count && i < wanted; i++)
            CHECK(cuts[i] == expected[wanted - 1 - i]);
    }
    return CHECK_EXIT();
}

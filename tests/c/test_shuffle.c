// SPDX-License-Identifier: MIT
// pc_shuffle: the gains are those of a shuffle of the values themselves, one after the other, whether the orders are
// kept or not.
#include "check.h"
#include "failing_malloc.h"

#include <string.h>

#include "base/pc_rng.h"
#include "judge/pc_shuffle.h"

enum { MOST = PC_SHUFFLE_KEPT + 9 };

static double values[MOST], shuffled[MOST], weights[MOST];

static void make_values(size_t length, uint64_t seed)
{
    pc_rng rng;
    pc_rng_seed(&rng, seed);
    for (size_t i = 0; i < length; i++) {
        values[i] = (double)pc_rng_below(&rng, 2000) - 999.7;
        weights[i] = i > 0 ? (double)length / ((double)i * (double)(length - i)) : 0.0;
    }
}

// The gains of a round, as it would be written if time did not matter.
static void expect_gains(size_t length, size_t least, pc_rng *rng, double gains[PC_SHUFFLE_COUNT])
{
    memcpy(shuffled, values, length * sizeof *values);
    for (size_t p = 0; p < PC_SHUFFLE_COUNT; p++) {
        double sum = 0.0;
        gains[p] = 0.0;
        for (size_t i = 0; i < length - least; i++) {
            const double gain = sum * sum * weights[i];
            if (i >= least && gain > gains[p])
                gains[p] = gain;
            const size_t other = i + pc_rng_below(rng, (uint32_t)(length - i));
            const double value = shuffled[other];
            shuffled[other] = shuffled[i];
            shuffled[i] = value;
            sum += value;
        }
    }
}

static void check_series(pc_shuffle **shuffle, size_t length, size_t least, uint64_t seed, unsigned rounds, bool keep)
{
    double gains[PC_SHUFFLE_COUNT], expected[PC_SHUFFLE_COUNT];
    pc_rng rng;
    pc_rng_seed(&rng, seed);
    CHECK(pc_shuffle_prepare(shuffle, length, least, seed, keep) == 0);
    for (unsigned round = 0; round < rounds; round++) {
        expect_gains(length, least, &rng, expected);
        CHECK(pc_shuffle_gains(*shuffle, values, weights, gains) == 0);
        CHECK(memcmp(gains, expected, sizeof gains) == 0);
    }
}

static void test_gains(void)
{
    static const size_t lengths[] = {4, 10, 37, 37, 500, 37, MOST, MOST, 500};
    pc_shuffle *shuffle = NULL;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t length = lengths[i];
        for (unsigned again = 0; again < 3; again++) { // other values in the same orders, and a round more
            make_values(length, 10 * i + again);
            check_series(&shuffle, length, 2, 5, length > 500 ? 1 : again + 2, i != 2);
        }
        check_series(&shuffle, length, length / 2, 5, 1, true); // another least part
        check_series(&shuffle, length, 2, 6, 1, true);          // another seed
    }
    pc_shuffle_free(shuffle);
}

// Every allocation fails once; what is there goes on working.
static void test_no_memory(void)
{
    static const size_t lengths[] = {50, MOST};
    for (size_t i = 0; i < 2; i++) {
        pc_shuffle *shuffle = NULL;
        double gains[PC_SHUFFLE_COUNT];
        make_values(lengths[i], 3);
        check_series(&shuffle, 20, 2, 1, 1, true);
        long refused = 0;
        for (;; refused++) {
            pc_shuffle *before = shuffle;
            fail_at = refused;
            int status = pc_shuffle_prepare(&shuffle, lengths[i], 5, 1, true);
            CHECK(status == 0 || (status == -ENOMEM && shuffle == before));
            if (status == 0 && (status = pc_shuffle_gains(shuffle, values, weights, gains)) == -ENOMEM) {
                fail_at = -1;
                CHECK(pc_shuffle_gains(shuffle, values, weights, gains) == 0); // the same round, now with memory
            }
            const bool done = status == 0 && fail_at >= 0;
            fail_at = -1;
            if (done)
                break;
            check_series(&shuffle, 20, 2, 1, 2, true);
        }
        CHECK(refused == (i == 0 ? 3 : 2));
        make_values(lengths[i], 3);
        check_series(&shuffle, lengths[i], 5, 1, 1, true);
        pc_shuffle_free(shuffle);
    }
    pc_shuffle_free(NULL);
}

int main(void)
{
    test_gains();
    test_no_memory();
    return CHECK_EXIT();
}

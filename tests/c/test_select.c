// SPDX-License-Identifier: MIT
// Selection where it is hardest: keys in an order that makes quickselect quadratic, clusters that meet at the bound of
// a bin, and ranges as wide as their bins.
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "judge/pc_keys.h"
#include "judge/pc_select.h"

static int by_key(const void *one, const void *other)
{
    uint64_t a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    return (a > b) - (a < b);
}

enum { MANY = 2000 };

static void swap(size_t *a, size_t *b)
{
    const size_t kept = *a;
    *a = *b;
    *b = kept;
}

// M. D. McIlroy, A Killer Adversary for Quicksort, Software: Practice and Experience 29 (1999), 341-344: the keys are
// chosen while the selection goes on, so that each pivot is the least but one of what is left.
static void make_killer(uint64_t keys[MANY])
{
    size_t places[MANY], first = 0;
    uint64_t next = 1;
    for (size_t i = 0; i < MANY; i++) {
        places[i] = i;
        keys[i] = UINT64_MAX; // greater than all that are chosen
    }
    while (MANY - first > PC_KEYS_SORTED_AT_ONCE) {
        size_t *part = places + first, count = MANY - first;
        keys[part[0]] = next++; // the median of three is the middle one
        keys[part[count / 2]] = next++;
        const uint64_t pivot = keys[part[count / 2]];
        swap(&part[0], &part[count / 2]);
        size_t left = SIZE_MAX, right = count;
        for (;;) {
            while (keys[part[--right]] > pivot)
                continue;
            while (keys[part[++left]] < pivot)
                continue;
            if (left >= right)
                break;
            swap(&part[left], &part[right]);
        }
        first += right + 1;
    }
    for (size_t i = 0; i < MANY; i++)
        keys[i] = keys[i] == UINT64_MAX ? next + i * 7919 % MANY : keys[i];
}

static void test_quadratic(void)
{
    static uint64_t killer[MANY], keys[MANY], sorted[MANY];
    make_killer(killer);
    memcpy(sorted, killer, sizeof sorted);
    qsort(sorted, MANY, sizeof *sorted, by_key);
    for (size_t rank = MANY / 10; rank < MANY; rank += 311) {
        memcpy(keys, killer, sizeof keys);
        CHECK(pc_keys_select(keys, MANY, rank) == sorted[rank]);
    }
    memcpy(keys, killer, sizeof keys);
    CHECK(pc_keys_select(keys, MANY, MANY - 1) == sorted[MANY - 1]);
    qsort(keys, MANY, sizeof *keys, by_key);
    CHECK(memcmp(keys, sorted, sizeof keys) == 0); // none was lost
}

// Most values in one bin of the first count, among `width` keys, and most of those around the bound of two bins of the
// next one; a few so far away that the first bins are wide.
static void test_clusters(uint64_t width)
{
    enum { LENGTH = 50000, HALF = 20000 };
    static double values[LENGTH];
    static uint64_t sorted[LENGTH];
    const uint64_t least = pc_keys_of_double(1.0), bound = least + ((uint64_t)1000 << 28);
    const uint64_t step = 6710, below = bound - (HALF - 1) * step - 100;
    size_t at = 0;
    values[at++] = pc_keys_to_double(least + width);
    for (size_t i = 0; i + 1 < LENGTH - 2 * HALF - 1; i++)
        values[at++] = 1e300;
    for (uint64_t i = HALF; i-- > 0;)
        values[at++] = pc_keys_to_double(bound + i * step);
    for (uint64_t i = 0; i < HALF; i++)
        values[at++] = pc_keys_to_double(below + i * step);
    values[at++] = 1.0;
    CHECK(at == LENGTH);
    // The first look is at values from all over the data: a fifth of them the far ones.
    for (size_t i = 1; i < LENGTH / 5; i++) {
        const double kept = values[5 * i];
        values[5 * i] = values[i];
        values[i] = kept;
    }
    for (size_t i = 0; i < LENGTH; i++)
        sorted[i] = pc_keys_of_double(values[i]);
    qsort(sorted, LENGTH, sizeof *sorted, by_key);
    const size_t ranks[] = {1, HALF - 1, HALF, HALF + 1, HALF + 2, 2 * HALF + 1, LENGTH - 1};
    double found[7];
    pc_select work;
    CHECK(pc_select_init(&work, LENGTH) == 0);
    pc_select_values(&work, values, LENGTH, 1.0, 1e300, ranks, 7, found);
    for (size_t i = 0; i < 7; i++)
        CHECK(found[i] == pc_keys_to_double(sorted[ranks[i]]));
    pc_select_clear(&work);
}

int main(void)
{
    test_quadratic();
    test_clusters(((uint64_t)1 << 42) - 1);
    test_clusters((uint64_t)1 << 42);
    return CHECK_EXIT();
}

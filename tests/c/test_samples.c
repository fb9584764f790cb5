// SPDX-License-Identifier: MIT
// pc_alloc and pc_samples: growth, overflow of sizes, and every allocation failing once.
#include "check.h"
#include "failing_malloc.h"

#include <string.h>

#include "measure/pc_samples.h"

static void test_alloc(void)
{
    char *block = pc_alloc(0, 8); // never NULL for want of size
    CHECK(block != NULL);
    block = pc_realloc(block, 3, 5);
    CHECK(block != NULL);
    memset(block, 1, 15);
    pc_free(block);

    unsigned char *zeroed = pc_alloc_zero(100, 7);
    CHECK(zeroed != NULL);
    bool clean = true;
    for (size_t i = 0; zeroed != NULL && i < 700; i++)
        clean = clean && zeroed[i] == 0;
    CHECK(clean);
    pc_free(zeroed);
    pc_free(NULL);

    // A product that overflows is refused before the allocator sees it.
    allocation_count = 0;
    CHECK(pc_alloc(SIZE_MAX / 4, 8) == NULL);
    CHECK(pc_alloc_zero(SIZE_MAX, 2) == NULL);
    CHECK(pc_realloc(NULL, SIZE_MAX / 2 + 1, 2) == NULL);
    CHECK(allocation_count == 0);
}

static void test_growth(void)
{
    pc_samples samples;
    pc_samples_init(&samples);
    CHECK(samples.data == NULL && samples.length == 0 && samples.capacity == 0);
    CHECK(pc_samples_reserve(&samples, 0) == 0);
    CHECK(samples.data == NULL);

    allocation_count = 0;
    bool pushed = true, invariant = true;
    for (size_t i = 0; i < 100000; i++) {
        pushed = pushed && pc_samples_push(&samples, (double)i) == 0;
        invariant = invariant && samples.length == i + 1 && samples.length <= samples.capacity;
    }
    CHECK(pushed);
    CHECK(invariant);
    CHECK(allocation_count < 30); // geometric: 64 * 1.5^18 > 100000
    bool kept = true;
    for (size_t i = 0; i < 100000; i++)
        kept = kept && samples.data[i] == (double)i;
    CHECK(kept);

    // Reserving makes that many pushes free of allocation.
    CHECK(pc_samples_reserve(&samples, 50000) == 0);
    allocation_count = 0;
    for (size_t i = 0; i < 50000; i++)
        pushed = pushed && pc_samples_push(&samples, 1.0) == 0;
    CHECK(pushed && allocation_count == 0);

    pc_samples_clear(&samples);
    CHECK(samples.data == NULL && samples.length == 0 && samples.capacity == 0);
    pc_samples_clear(&samples); // twice is allowed
}

static void test_refusals(void)
{
    pc_samples samples;
    pc_samples_init(&samples);
    CHECK(pc_samples_push(&samples, 2.5) == 0);
    double *data = samples.data;
    size_t capacity = samples.capacity;
    CHECK(pc_samples_reserve(&samples, SIZE_MAX) == -ENOMEM);     // length + extra overflows
    CHECK(pc_samples_reserve(&samples, SIZE_MAX / 4) == -ENOMEM); // bytes overflow
    CHECK(samples.data == data && samples.length == 1 && samples.capacity == capacity && data[0] == 2.5);
    pc_samples_clear(&samples);
}

// Make the n-th allocation fail, for every n until none fails: the array is as it was, and usable afterwards.
static void test_out_of_memory(void)
{
    long refused = 0;
    for (long n = 0; n < 100; n++) {
        pc_samples samples;
        pc_samples_init(&samples);
        fail_at = n;
        int status = 0;
        size_t pushed = 0;
        while (pushed < 1000 && (status = pc_samples_push(&samples, (double)pushed)) == 0)
            pushed++;
        fail_at = -1;
        if (status < 0) {
            refused++;
            CHECK(status == -ENOMEM);
            CHECK(samples.length == pushed && samples.capacity == pushed);
            CHECK(pushed == 0 || samples.data[pushed - 1] == (double)(pushed - 1));
            CHECK(pc_samples_push(&samples, 7.0) == 0);
            CHECK(samples.data[pushed] == 7.0);
        }
        pc_samples_clear(&samples);
        if (status == 0)
            break;
    }
    CHECK(refused >= 5);

    fail_at = 0;
    CHECK(pc_alloc(1, 1) == NULL);
    fail_at = 0;
    CHECK(pc_alloc_zero(1, 1) == NULL);
    fail_at = 0;
    CHECK(pc_realloc(NULL, 1, 1) == NULL);
}

int main(void)
{
    test_alloc();
    test_growth();
    test_refusals();
    test_out_of_memory();
    return CHECK_EXIT();
}

// SPDX-License-Identifier: MIT
// pc_registry against a list of what is in it, with hashes that crowd together and run round the end; every allocation
// failing once. pc_bytes_same() against memcmp().
#include "check.h"
#include "failing_malloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/pc_bytes.h"
#include "base/pc_rng.h"
#include "workload/pc_registry.h"

enum { THINGS = 200 };

typedef struct thing {
    uint64_t hash;
    bool in;
} thing;

static size_t times_found(const pc_registry *registry, const thing *wanted)
{
    size_t found = 0;
    const pc_registry_entry *entry = pc_registry_first(registry, wanted->hash);
    for (; entry != NULL; entry = pc_registry_next(registry, entry))
        found += entry->thing == wanted;
    return found;
}

// Things come and go at random; a hash is one of `hashes`, from `first` on.
static void against_a_list(uint64_t first, uint32_t hashes, uint64_t seed)
{
    pc_registry registry = {0};
    pc_rng rng;
    pc_rng_seed(&rng, seed);
    thing things[THINGS];
    size_t length = 0;
    for (size_t i = 0; i < THINGS; i++)
        things[i] = (thing){first + pc_rng_below(&rng, hashes), false};
    bool sound = true;
    for (int step = 0; step < 2000; step++) {
        thing *one = &things[pc_rng_below(&rng, THINGS)];
        pc_registry_prefetch(&registry, one->hash);
        if (one->in) {
            sound = sound && pc_registry_remove(&registry, one->hash, one);
            length--;
        } else {
            sound = sound && !pc_registry_remove(&registry, one->hash, one);
            sound = sound && pc_registry_add(&registry, one->hash, one) == 0;
            length++;
        }
        one->in = !one->in;
        sound = sound && registry.length == length;
        for (size_t i = 0; step % 16 == 0 && i < THINGS; i++)
            sound = sound && times_found(&registry, &things[i]) == things[i].in;
    }
    CHECK(sound && registry.length * 4 <= registry.capacity * 3);
    pc_registry_clear(&registry);
    CHECK(pc_registry_first(&registry, first) == NULL && registry.length == 0);
}

static void test_out_of_memory(void)
{
    static thing things[1000];
    size_t refused = 0;
    for (long n = 0; n < 9; n++) {
        pc_registry registry = {0};
        size_t count = 0;
        fail_at = n;
        while (count < 1000 && pc_registry_add(&registry, count * 7, &things[count]) == 0)
            count++;
        fail_at = -1;
        refused += count < 1000;
        bool sound = registry.length == count;
        for (size_t i = 0; i < 1000; i++) {
            const pc_registry_entry *entry = pc_registry_first(&registry, i * 7);
            sound = sound && (i < count ? entry != NULL && entry->thing == &things[i] : entry == NULL);
        }
        CHECK(sound);
        CHECK(count == 1000 || pc_registry_add(&registry, count * 7, &things[count]) == 0); // it goes on
        pc_registry_clear(&registry);
    }
    CHECK(refused == 8);
}

static void test_bytes(void)
{
    bool sound = true;
    for (size_t length = 0; length <= 40; length++) {
        char *one = malloc(length + 1), *other = malloc(length + 1); // ASan sees a byte too many
        if (one == NULL || other == NULL)
            abort();
        memset(one + 1, 'x', length);
        memset(other, 'x', length);
        sound = sound && pc_bytes_same(one + 1, other, length);
        for (size_t at = 0; at < length; at++) {
            other[at] ^= (char)0x80;
            sound = sound && !pc_bytes_same(one + 1, other, length);
            other[at] ^= (char)0x80;
        }
        free(one);
        free(other);
    }
    CHECK(sound);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        against_a_list(0, 16, seed);
        against_a_list(0, UINT32_MAX, seed);
        against_a_list(UINT64_MAX - 8, 12, seed); // the end of the table, and round it
        against_a_list(seed, 1, seed);            // one hash for all
    }
    test_out_of_memory();
    test_bytes();
    return CHECK_EXIT();
}

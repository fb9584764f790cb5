// SPDX-License-Identifier: MIT
// pc_ptrmap: many keys, their values over growth, every allocation failing once.
#include "check.h"
#include "failing_malloc.h"

#include <stdlib.h>

#include "base/pc_ptrmap.h"

enum { KEYS = 100000 };
static char keys[KEYS * 16];

static void test_many(void)
{
    pc_ptrmap map = {0};
    size_t *value;
    bool added, sound = true;
    for (size_t i = 0; i < KEYS; i++) {
        sound = sound && pc_ptrmap_find(&map, &keys[i * 16], &value, &added) == 0 && added && *value == 0;
        *value = i + 1;
    }
    CHECK(sound && map.length == KEYS && map.capacity >= 2 * KEYS);
    for (size_t i = 0; i < KEYS; i++)
        sound = sound && pc_ptrmap_find(&map, &keys[i * 16], &value, &added) == 0 && !added && *value == i + 1;
    CHECK(sound && map.length == KEYS);
    pc_ptrmap_clear(&map);
    pc_ptrmap_clear(&map);
    CHECK(map.length == 0 && pc_ptrmap_find(&map, keys, &value, &added) == 0 && added);
    pc_ptrmap_clear(&map);
}

static void test_out_of_memory(void)
{
    size_t refused = 0;
    for (long n = 0; n < 8; n++) {
        pc_ptrmap map = {0};
        size_t *value, i = 0;
        bool added;
        fail_at = n;
        while (i < 5000 && pc_ptrmap_find(&map, &keys[i * 16], &value, &added) == 0)
            *value = ++i;
        refused += i < 5000;
        fail_at = -1;
        bool sound = true;
        for (size_t at = 0; at < i; at++)
            sound = sound && pc_ptrmap_find(&map, &keys[at * 16], &value, &added) == 0 && !added && *value == at + 1;
        CHECK(sound);
        pc_ptrmap_clear(&map);
    }
    CHECK(refused >= 7);
}

int main(void)
{
    test_many();
    test_out_of_memory();
    return CHECK_EXIT();
}

// SPDX-License-Identifier: MIT
// A map from addresses to numbers (see the header).
#include "base/pc_ptrmap.h"

#include "base/pc_alloc.h"

enum { FIRST_CAPACITY = 64 };

void pc_ptrmap_clear(pc_ptrmap *map)
{
    pc_free(map->entries);
    *map = (pc_ptrmap){0};
}

// The entry of `key`, or the free one where it belongs. Fibonacci hashing spreads addresses, whose low bits are alike.
static pc_ptrmap_entry *entry_of(const pc_ptrmap *map, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (map->capacity - 1);
    while (map->entries[at].key != NULL && map->entries[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

static int grow(pc_ptrmap *map)
{
    pc_ptrmap larger = {.capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity, .length = map->length};
    if (larger.capacity > UINT32_MAX) // the hash has 32 bits
        return -ENOMEM;
    larger.entries = pc_alloc_zero(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].key != NULL)
            *entry_of(&larger, map->entries[i].key) = map->entries[i];
    }
    pc_free(map->entries);
    *map = larger;
    return 0;
}

int pc_ptrmap_find(pc_ptrmap *map, const void *key, size_t **value, bool *added)
{
    assert(key != NULL);
    if (map->length >= map->capacity / 2) {
        int status = grow(map);
        if (status < 0)
            return status;
    }
    pc_ptrmap_entry *entry = entry_of(map, key);
    *added = entry->key == NULL;
    if (*added) {
        *entry = (pc_ptrmap_entry){key, 0};
        map->length++;
    }
    *value = &entry->value;
    return 0;
}

// SPDX-License-Identifier: MIT
// Growth and removal (see the header). Removal moves back what the gap would cut off from the place that it wants
// (Knuth, The Art of Computer Programming 3, 6.4, algorithm R), so that no tombstones lengthen the look-ups.
#include "workload/pc_registry.h"

#include "base/pc_alloc.h"

enum { FIRST_CAPACITY = 16 };

static void put(pc_registry *registry, pc_registry_entry entry)
{
    size_t at = (size_t)entry.hash & (registry->capacity - 1);
    while (registry->entries[at].thing != NULL)
        at = (at + 1) & (registry->capacity - 1);
    registry->entries[at] = entry;
}

static int grow(pc_registry *registry)
{
    if (registry->capacity > SIZE_MAX / 2 / sizeof *registry->entries)
        return -ENOMEM;
    pc_registry larger = {.capacity = registry->capacity == 0 ? FIRST_CAPACITY : 2 * registry->capacity,
                          .length = registry->length};
    larger.entries = pc_alloc_zero(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < registry->capacity; i++) {
        if (registry->entries[i].thing != NULL)
            put(&larger, registry->entries[i]);
    }
    pc_free(registry->entries);
    *registry = larger;
    return 0;
}

int pc_registry_add(pc_registry *registry, uint64_t hash, void *thing)
{
    assert(thing != NULL);
    if (registry->length >= registry->capacity / 4 * 3) {
        int status = grow(registry);
        if (status < 0)
            return status;
    }
    put(registry, (pc_registry_entry){hash, thing});
    registry->length++;
    return 0;
}

bool pc_registry_remove(pc_registry *registry, uint64_t hash, const void *thing)
{
    const pc_registry_entry *entry = pc_registry_first(registry, hash);
    while (entry != NULL && entry->thing != thing)
        entry = pc_registry_next(registry, entry);
    if (entry == NULL)
        return false;
    pc_registry_entry *entries = registry->entries;
    size_t mask = registry->capacity - 1, gap = (size_t)(entry - entries);
    for (size_t at = (gap + 1) & mask; entries[at].thing != NULL; at = (at + 1) & mask) {
        size_t wanted = (size_t)entries[at].hash & mask;
        if (((at - wanted) & mask) >= ((at - gap) & mask)) { // the gap lies on its way
            entries[gap] = entries[at];
            gap = at;
        }
    }
    entries[gap] = (pc_registry_entry){0};
    registry->length--;
    return true;
}

void pc_registry_clear(pc_registry *registry)
{
    pc_free(registry->entries);
    *registry = (pc_registry){0};
}

// SPDX-License-Identifier: MIT
// pc_registry: things found by a hash of 64 bits. Several may share a hash: who looks up compares what it finds, so
// that the registry knows nothing of names, and a look-up that is one of many can be split into steps whose cache
// misses overlap (pc_registry_prefetch, then pc_registry_first). It owns its entries, not the things.
//
// Invariants: open addressing with linear probing from the hash's low bits, at most three quarters full; between the
// place that a hash wants and its entry no place is free, also after removals. It never shrinks.
// Thread contract: single owner.
#ifndef PC_REGISTRY_H
#define PC_REGISTRY_H

#include "base/pc_common.h"

typedef struct pc_registry_entry {
    uint64_t hash;
    void *thing; // NULL: free
} pc_registry_entry;

// All zero is a valid, empty registry.
typedef struct pc_registry {
    pc_registry_entry *entries;
    size_t capacity; // a power of two, or 0
    size_t length;
} pc_registry;

// Add a thing (not NULL). 0, or -ENOMEM with the registry as it was.
int pc_registry_add(pc_registry *registry, uint64_t hash, void *thing) PC_NODISCARD;

// Take a thing out. False when it is not there under this hash.
bool pc_registry_remove(pc_registry *registry, uint64_t hash, const void *thing);

// Release the entries, and leave the registry empty.
void pc_registry_clear(pc_registry *registry);

// Have the place where a look-up of `hash` begins fetched into the cache.
static inline void pc_registry_prefetch(const pc_registry *registry, uint64_t hash)
{
    if (PC_LIKELY(registry->capacity != 0))
        __builtin_prefetch(&registry->entries[hash & (registry->capacity - 1)]);
}

// The first entry with this hash from a place on, or NULL.
static inline const pc_registry_entry *pc_registry_from(const pc_registry *registry, uint64_t hash, size_t at)
{
    for (;; at++) {
        const pc_registry_entry *entry = &registry->entries[at & (registry->capacity - 1)];
        if (entry->thing == NULL)
            return NULL;
        if (entry->hash == hash)
            return entry;
    }
}

// The first entry with this hash, or NULL.
static inline const pc_registry_entry *pc_registry_first(const pc_registry *registry, uint64_t hash)
{
    return PC_LIKELY(registry->capacity != 0) ? pc_registry_from(registry, hash, (size_t)hash) : NULL;
}

// The next entry with the hash of this one, or NULL.
static inline const pc_registry_entry *pc_registry_next(const pc_registry *registry, const pc_registry_entry *entry)
{
    return pc_registry_from(registry, entry->hash, (size_t)(entry - registry->entries) + 1);
}

#endif

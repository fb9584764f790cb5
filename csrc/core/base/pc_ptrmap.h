// SPDX-License-Identifier: MIT
// A map from addresses to numbers, which only grows: open addressing with linear probing, at most half full, so that a
// miss costs little. NULL is no key. Thread contract: single owner.
#ifndef PC_PTRMAP_H
#define PC_PTRMAP_H

#include "base/pc_common.h"

typedef struct pc_ptrmap_entry {
    const void *key; // NULL: free
    size_t value;
} pc_ptrmap_entry;

// All zero is a valid, empty map.
typedef struct pc_ptrmap {
    pc_ptrmap_entry *entries;
    size_t capacity; // a power of two, or 0
    size_t length;
} pc_ptrmap;

// Release it, and leave it empty.
void pc_ptrmap_clear(pc_ptrmap *map);

// The value of `key` for reading and writing, until the next call; 0 where the key is new, which *added tells. -ENOMEM.
int pc_ptrmap_find(pc_ptrmap *map, const void *key, size_t **value, bool *added) PC_NODISCARD;

#endif

// SPDX-License-Identifier: MIT
// pc_heap: a 4-ary heap of pointers with a priority each, the least first, and the oldest first among equals. Four
// children share a cache line and halve the depth of a binary heap.
//
// Invariants: no entry sorts before its parent, entry i's being (i - 1) / 4; (priority, turn) is unique, since turns
// count up and 2^64 of them do not run out. Priorities are never NaN. Thread contract: single owner.
#ifndef PC_HEAP_H
#define PC_HEAP_H

#include "base/pc_common.h"

typedef struct pc_heap_entry {
    double priority;
    uint64_t turn;
    void *item;
} pc_heap_entry;

typedef struct pc_heap {
    pc_heap_entry *entries;
    size_t capacity;
    size_t length;
    uint64_t next_turn;
} pc_heap;

// Make an empty heap, which allocates nothing.
static inline void pc_heap_init(pc_heap *heap)
{
    *heap = (pc_heap){0};
}

// Make room for `extra` more items. 0, or -ENOMEM with the heap as it was.
int pc_heap_reserve(pc_heap *heap, size_t extra) PC_NODISCARD;

// Add an item. 0, or -ENOMEM with the heap as it was.
int pc_heap_push(pc_heap *heap, void *item, double priority) PC_NODISCARD;

// Take the first item of a heap that has one.
void *pc_heap_pop(pc_heap *heap);

// Free the entries and make the heap empty.
void pc_heap_clear(pc_heap *heap);

#endif

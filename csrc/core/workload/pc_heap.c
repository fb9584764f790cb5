// SPDX-License-Identifier: MIT
// The 4-ary heap (see the header). Entries sift as a hole that moves, one store a level instead of three.
#include "workload/pc_heap.h"

#include "base/pc_alloc.h"

enum { CHILDREN = 4, FIRST_ENTRIES = 16 };

static bool before(const pc_heap_entry *a, const pc_heap_entry *b)
{
    return a->priority < b->priority || (a->priority <= b->priority && a->turn < b->turn);
}

int pc_heap_reserve(pc_heap *heap, size_t extra)
{
    if (extra <= heap->capacity - heap->length)
        return 0;
    size_t wanted;
    if (__builtin_add_overflow(heap->length, extra, &wanted) || wanted > SIZE_MAX / 2 / sizeof(pc_heap_entry))
        return -ENOMEM;
    size_t capacity = heap->capacity ? heap->capacity : FIRST_ENTRIES;
    while (capacity < wanted)
        capacity *= 2;
    pc_heap_entry *entries = pc_realloc(heap->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    heap->entries = entries;
    heap->capacity = capacity;
    return 0;
}

int pc_heap_push(pc_heap *heap, void *item, double priority)
{
    int status = pc_heap_reserve(heap, 1);
    if (status < 0)
        return status;
    pc_heap_entry entry = {priority, heap->next_turn++, item};
    size_t hole = heap->length++;
    while (hole > 0) {
        size_t parent = (hole - 1) / CHILDREN;
        if (!before(&entry, &heap->entries[parent]))
            break;
        heap->entries[hole] = heap->entries[parent];
        hole = parent;
    }
    heap->entries[hole] = entry;
    return 0;
}

void *pc_heap_pop(pc_heap *heap)
{
    assert(heap->length > 0);
    pc_heap_entry *entries = heap->entries;
    void *item = entries[0].item;
    size_t length = --heap->length;
    if (length == 0)
        return item;
    pc_heap_entry last = entries[length];
    size_t hole = 0;
    for (;;) {
        size_t child = hole * CHILDREN + 1;
        if (child >= length)
            break;
        size_t end = length - child < CHILDREN ? length : child + CHILDREN;
        size_t least = child;
        for (size_t other = child + 1; other < end; other++) {
            if (before(&entries[other], &entries[least]))
                least = other;
        }
        if (!before(&entries[least], &last))
            break;
        entries[hole] = entries[least];
        hole = least;
    }
    entries[hole] = last;
    return item;
}

void pc_heap_clear(pc_heap *heap)
{
    pc_free(heap->entries);
    pc_heap_init(heap);
}

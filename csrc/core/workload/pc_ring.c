// SPDX-License-Identifier: MIT
// Growth of the ring (see the header).
#include "workload/pc_ring.h"

#include <string.h>

#include "base/pc_alloc.h"

enum { FIRST_SLOTS = 16 };

int pc_ring_reserve(pc_ring *ring, size_t extra)
{
    if (extra <= ring->capacity - ring->length)
        return 0;
    size_t wanted;
    if (__builtin_add_overflow(ring->length, extra, &wanted) || wanted > SIZE_MAX / 2 / sizeof(void *))
        return -ENOMEM;
    size_t capacity = ring->capacity ? ring->capacity : FIRST_SLOTS;
    while (capacity < wanted)
        capacity *= 2;
    void **slots = pc_realloc(ring->slots, capacity, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    // What had gone round the end moves behind it: the array has at least doubled, so there is room.
    size_t before_end = ring->capacity - ring->head;
    if (ring->length > before_end)
        memcpy(slots + ring->capacity, slots, (ring->length - before_end) * sizeof *slots);
    ring->slots = slots;
    ring->capacity = capacity;
    return 0;
}

// Both copy in two parts, up to the end of the slots and from their beginning: an item at a time costs twice as much.
void pc_ring_push_many(pc_ring *ring, void *const *items, size_t count)
{
    assert(count <= ring->capacity - ring->length);
    if (count == 0)
        return; // there may be no slots
    size_t at = (ring->head + ring->length) & (ring->capacity - 1);
    size_t before_end = ring->capacity - at < count ? ring->capacity - at : count;
    memcpy(ring->slots + at, items, before_end * sizeof *items);
    memcpy(ring->slots, items + before_end, (count - before_end) * sizeof *items);
    ring->length += count;
}

void pc_ring_pop_many(pc_ring *ring, void **items, size_t count)
{
    assert(count <= ring->length);
    if (count == 0)
        return;
    size_t before_end = ring->capacity - ring->head < count ? ring->capacity - ring->head : count;
    memcpy(items, ring->slots + ring->head, before_end * sizeof *items);
    memcpy(items + before_end, ring->slots, (count - before_end) * sizeof *items);
    ring->length -= count;
    // An empty ring begins anew: what comes and goes in small batches keeps to the same few cache lines.
    ring->head = ring->length == 0 ? 0 : (ring->head + count) & (ring->capacity - 1);
}

void pc_ring_clear(pc_ring *ring)
{
    pc_free(ring->slots);
    pc_ring_init(ring);
}

// SPDX-License-Identifier: MIT
// pc_ring: a growing circular array of pointers, first in, first out. It owns its slots, not what they point to.
//
// Invariants: the number of slots is 0 or a power of two; `length` of them, from `head` on and round the end, are in
// use. The slots are never given back before pc_ring_clear: a mailbox that was full once will be full again.
// Thread contract: single owner (the bindings hold the GIL).
#ifndef PC_RING_H
#define PC_RING_H

#include "base/pc_common.h"

typedef struct pc_ring {
    void **slots;
    size_t capacity;
    size_t head;
    size_t length;
} pc_ring;

// Make an empty ring, which allocates nothing.
static inline void pc_ring_init(pc_ring *ring)
{
    *ring = (pc_ring){0};
}

// Make room for `extra` more items. 0, or -ENOMEM with the ring as it was.
int pc_ring_reserve(pc_ring *ring, size_t extra) PC_NODISCARD;

// Free the slots and make the ring empty.
void pc_ring_clear(pc_ring *ring);

// The item at `index`, counted from the oldest.
static inline void *pc_ring_at(const pc_ring *ring, size_t index)
{
    assert(index < ring->length);
    return ring->slots[(ring->head + index) & (ring->capacity - 1)];
}

// Append an item for which there is room.
static inline void pc_ring_push_in(pc_ring *ring, void *item)
{
    assert(ring->length < ring->capacity);
    ring->slots[(ring->head + ring->length) & (ring->capacity - 1)] = item;
    ring->length++;
}

// Append an item. 0, or -ENOMEM with the ring as it was.
PC_NODISCARD static inline int pc_ring_push(pc_ring *ring, void *item)
{
    if (PC_UNLIKELY(ring->length == ring->capacity)) {
        int status = pc_ring_reserve(ring, 1);
        if (status < 0)
            return status;
    }
    pc_ring_push_in(ring, item);
    return 0;
}

// Append items for which there is room (pc_ring_reserve).
void pc_ring_push_many(pc_ring *ring, void *const *items, size_t count);

// Take the `count` oldest items of a ring that has so many.
void pc_ring_pop_many(pc_ring *ring, void **items, size_t count);

// Take the oldest item of a ring that has one.
static inline void *pc_ring_pop(pc_ring *ring)
{
    assert(ring->length > 0);
    void *item = ring->slots[ring->head];
    ring->head = (ring->head + 1) & (ring->capacity - 1);
    ring->length--;
    return item;
}

#endif

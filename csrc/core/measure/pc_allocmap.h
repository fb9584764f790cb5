// SPDX-License-Identifier: MIT
// A shadow of the address space: for each block of memory that was put in, one number (its requested size in bytes).
//
// Blocks are 16-byte aligned, so each granule of 16 bytes has one entry of 16 bits, in leaves of 64 MiB of addresses
// that are mapped when the first block lies in them and whose pages the kernel supplies when they are written: 1/8 of
// the memory that holds tracked blocks. A number that does not fit takes the entries of the next three granules, which
// lie inside the block because the number is at most its size.
//
// Thread contract: any thread, without a lock. An entry has one owner, the owner of its block: who allocated and has
// not freed it. Handing a block to another thread orders the accesses to its entry as it does those to the block, so
// entries are relaxed; only the publishing of a leaf is ordered. Leaves stay mapped until pc_allocmap_destroy.
#ifndef PC_ALLOCMAP_H
#define PC_ALLOCMAP_H

#include <stdatomic.h>

#include "base/pc_common.h"

enum {
    PC_ALLOCMAP_GRANULE_BITS = 4,
    PC_ALLOCMAP_LEAF_BITS = 26,    // addresses in a leaf
    PC_ALLOCMAP_ADDRESS_BITS = 48, // of user space
    PC_ALLOCMAP_LEAF_ENTRIES = 1 << (PC_ALLOCMAP_LEAF_BITS - PC_ALLOCMAP_GRANULE_BITS),
    PC_ALLOCMAP_ROOT_ENTRIES = 1 << (PC_ALLOCMAP_ADDRESS_BITS - PC_ALLOCMAP_LEAF_BITS),
    PC_ALLOCMAP_LEAVES = 4096, // 256 GiB of addresses that hold blocks
    PC_ALLOCMAP_SMALL = 0x7FFE // the largest number of one entry
};

typedef _Atomic(uint16_t) pc_allocmap_entry;

typedef struct pc_allocmap {
    _Atomic(pc_allocmap_entry *) *root; // by address >> PC_ALLOCMAP_LEAF_BITS
    _Atomic(pc_allocmap_entry *) *made; // the leaves, for clearing
    _Atomic(size_t) made_count;         // may run past PC_ALLOCMAP_LEAVES; those are not there
} pc_allocmap;

// Reserve the root. 0 or -ENOMEM.
int pc_allocmap_init(pc_allocmap *map) PC_NODISCARD;

// Unmap everything. No other thread may use the map.
void pc_allocmap_destroy(pc_allocmap *map);

// Forget every block and give the pages back to the system. Entries that other threads write meanwhile may survive.
void pc_allocmap_clear(pc_allocmap *map);

// The slow ways of the functions below: a leaf that is not there yet, a number that takes four entries.
bool pc_allocmap_put_slow(pc_allocmap *map, const void *block, size_t number) PC_NODISCARD;
bool pc_allocmap_take_large(pc_allocmap *map, const void *block, size_t *number) PC_NODISCARD;

// The entry of the granule at `address`, or NULL where no leaf is.
static inline pc_allocmap_entry *pc_allocmap_find(const pc_allocmap *map, uintptr_t address)
{
    if (PC_UNLIKELY(address >> PC_ALLOCMAP_ADDRESS_BITS != 0))
        return NULL;
    // Acquire: pairs with the release of the exchange that published the leaf.
    pc_allocmap_entry *leaf = atomic_load_explicit(&map->root[address >> PC_ALLOCMAP_LEAF_BITS], memory_order_acquire);
    if (PC_UNLIKELY(leaf == NULL))
        return NULL;
    return leaf + ((address >> PC_ALLOCMAP_GRANULE_BITS) & (PC_ALLOCMAP_LEAF_ENTRIES - 1));
}

// Put `number`, at most the block's size or at most PC_ALLOCMAP_SMALL, for a block. False where it cannot be kept: no
// memory for a leaf, or an address that is not aligned to 16 or outside of user space. The block is then not in the
// map.
static inline bool PC_NODISCARD pc_allocmap_put(pc_allocmap *map, const void *block, size_t number)
{
    uintptr_t address = (uintptr_t)block;
    pc_allocmap_entry *entry = pc_allocmap_find(map, address);
    if (PC_UNLIKELY(entry == NULL || number > PC_ALLOCMAP_SMALL || (address & 15) != 0))
        return pc_allocmap_put_slow(map, block, number);
    atomic_store_explicit(entry, (uint16_t)(number + 1), memory_order_relaxed);
    return true;
}

// Take a block out. False where it is not in the map.
static inline bool PC_NODISCARD pc_allocmap_take(pc_allocmap *map, const void *block, size_t *number)
{
    pc_allocmap_entry *entry = pc_allocmap_find(map, (uintptr_t)block);
    if (PC_UNLIKELY(entry == NULL))
        return false;
    uint16_t found = atomic_load_explicit(entry, memory_order_relaxed);
    if (PC_UNLIKELY(found == 0 || found > PC_ALLOCMAP_SMALL + 1))
        return found != 0 && pc_allocmap_take_large(map, block, number);
    atomic_store_explicit(entry, 0, memory_order_relaxed);
    *number = found - 1U;
    return true;
}

#endif

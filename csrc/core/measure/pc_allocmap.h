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
    PC_ALLOCMAP_LEAVES = 4096,  // 256 GiB of addresses that hold blocks
    PC_ALLOCMAP_SMALL = 0x7FFE, // the largest number of one entry
    PC_ALLOCMAP_RUNS = 64       // stretches of pages that are remembered
};

typedef _Atomic(uint16_t) pc_allocmap_entry;

typedef struct pc_allocmap_run {
    char *start;
    size_t bytes;
} pc_allocmap_run;

typedef struct pc_allocmap {
    _Atomic(pc_allocmap_entry *) *root;     // by address >> PC_ALLOCMAP_LEAF_BITS
    _Atomic(pc_allocmap_entry *) *made;     // the leaves, for clearing
    _Atomic(size_t) made_count;             // may run past PC_ALLOCMAP_LEAVES; those are not there
    pc_allocmap_run runs[PC_ALLOCMAP_RUNS]; // where entries were when the map was last cleared
    size_t run_count;
} pc_allocmap;

// Reserve the root. 0 or -ENOMEM.
int pc_allocmap_init(pc_allocmap *map) PC_NODISCARD;

// Unmap everything. No other thread may use the map.
void pc_allocmap_destroy(pc_allocmap *map);

// Forget every block and give the pages back to the system; where they were is remembered. Entries that other threads
// write meanwhile may survive. One thread at a time, as pc_allocmap_begin.
void pc_allocmap_clear(pc_allocmap *map);

// Forget entries that survived, and ask for the pages that were in use when the map was last cleared, 4 MiB of them at
// most: programs allocate where they did before, and a page at its first use costs 1 to 3 us, in such a call a tenth.
void pc_allocmap_begin(pc_allocmap *map);

// The slow ways of the functions below: a leaf that is not there yet, a number that takes four entries.
bool pc_allocmap_put_slow(pc_allocmap *map, const void *block, size_t number) PC_NODISCARD;
bool pc_allocmap_take_large(pc_allocmap *map, const void *block, size_t *number) PC_NODISCARD;

// The leaf of `address`, which lies in user space, or NULL where none is.
static inline pc_allocmap_entry *pc_allocmap_leaf(const pc_allocmap *map, uintptr_t address)
{
    // Acquire: pairs with the release of the exchange that published the leaf.
    return atomic_load_explicit(&map->root[address >> PC_ALLOCMAP_LEAF_BITS], memory_order_acquire);
}

// The entry of `address` in its leaf.
static inline pc_allocmap_entry *pc_allocmap_entry_in(pc_allocmap_entry *leaf, uintptr_t address)
{
    return leaf + ((address >> PC_ALLOCMAP_GRANULE_BITS) & (PC_ALLOCMAP_LEAF_ENTRIES - 1));
}

// Put `number`, at most the block's size or at most PC_ALLOCMAP_SMALL, for a block. False where it cannot be kept: no
// memory for a leaf, or an address that is not aligned to 16 or outside of user space. The block is then not in the
// map.
static inline bool PC_NODISCARD pc_allocmap_put(pc_allocmap *map, const void *block, size_t number)
{
    // What no address in user space that is aligned to 16 has.
    const uintptr_t unusable = ~(((uintptr_t)1 << PC_ALLOCMAP_ADDRESS_BITS) - 1) | 15;
    uintptr_t address = (uintptr_t)block;
    if (PC_UNLIKELY((address & unusable) != 0 || number > PC_ALLOCMAP_SMALL))
        return pc_allocmap_put_slow(map, block, number);
    pc_allocmap_entry *leaf = pc_allocmap_leaf(map, address);
    if (PC_UNLIKELY(leaf == NULL))
        return pc_allocmap_put_slow(map, block, number);
    atomic_store_explicit(pc_allocmap_entry_in(leaf, address), (uint16_t)(number + 1), memory_order_relaxed);
    return true;
}

// Take a block out. False where it is not in the map.
static inline bool PC_NODISCARD pc_allocmap_take(pc_allocmap *map, const void *block, size_t *number)
{
    uintptr_t address = (uintptr_t)block;
    pc_allocmap_entry *leaf =
        PC_LIKELY(address >> PC_ALLOCMAP_ADDRESS_BITS == 0) ? pc_allocmap_leaf(map, address) : NULL;
    if (PC_UNLIKELY(leaf == NULL))
        return false;
    pc_allocmap_entry *entry = pc_allocmap_entry_in(leaf, address);
    uint16_t found = atomic_load_explicit(entry, memory_order_relaxed);
    if (PC_UNLIKELY(found == 0 || found > PC_ALLOCMAP_SMALL + 1))
        return found != 0 && pc_allocmap_take_large(map, block, number);
    atomic_store_explicit(entry, 0, memory_order_relaxed);
    *number = found - 1U;
    return true;
}

#endif

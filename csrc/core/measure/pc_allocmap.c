// SPDX-License-Identifier: MIT
// The shadow map of blocks (see the header). Memory comes from mmap, not from the allocation seam: leaves are sparse,
// and the map is used inside the hooks of allocators.
#include "measure/pc_allocmap.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE = 0xFFFF, TAIL = 3, TAIL_BITS = 16, KEPT_BYTES = 4 << 20 };
enum { POPULATE_WRITE = 23 }; // MADV_POPULATE_WRITE, newer than some headers

static void *pages_map(size_t bytes)
{
    // cppcheck-suppress invalidFunctionArg // -1 is what an anonymous mapping takes
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    // cppcheck-suppress memleak // it is returned
    return pages == MAP_FAILED ? NULL : pages;
}

static const size_t ROOT_BYTES = PC_ALLOCMAP_ROOT_ENTRIES * sizeof(pc_allocmap_entry *);
static const size_t MADE_BYTES = PC_ALLOCMAP_LEAVES * sizeof(pc_allocmap_entry *);
static const size_t LEAF_BYTES = PC_ALLOCMAP_LEAF_ENTRIES * sizeof(pc_allocmap_entry);

int pc_allocmap_init(pc_allocmap *map)
{
    void *root = pages_map(ROOT_BYTES);
    if (root == NULL)
        return -ENOMEM;
    void *made = pages_map(MADE_BYTES);
    if (made == NULL) {
        (void)munmap(root, ROOT_BYTES);
        return -ENOMEM;
    }
    map->root = root;
    map->made = made;
    map->run_count = 0;
    atomic_init(&map->made_count, 0);
    return 0;
}

static size_t leaf_count(pc_allocmap *map)
{
    size_t count = atomic_load_explicit(&map->made_count, memory_order_relaxed);
    return count < PC_ALLOCMAP_LEAVES ? count : PC_ALLOCMAP_LEAVES;
}

void pc_allocmap_destroy(pc_allocmap *map)
{
    for (size_t i = 0; i < leaf_count(map); i++) {
        pc_allocmap_entry *leaf = atomic_load_explicit(&map->made[i], memory_order_relaxed);
        if (leaf != NULL)
            (void)munmap(leaf, LEAF_BYTES);
    }
    (void)munmap(map->made, MADE_BYTES);
    (void)munmap(map->root, ROOT_BYTES);
}

// The i-th leaf that was made, or NULL: not there yet, so empty.
static void *leaf_at(pc_allocmap *map, size_t i)
{
    // Acquire: pairs with the release in leaf_make, so that the pages are mapped.
    return atomic_load_explicit(&map->made[i], memory_order_acquire);
}

// Remember the pages of a leaf that are in use, in runs with small gaps. Where there is no more room, the rest is not
// remembered.
static void remember(pc_allocmap *map, char *leaf, size_t *pages_left)
{
    enum { MOST_PAGES = 2048, GAP = 4 };
    unsigned char in_use[MOST_PAGES];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = LEAF_BYTES / page;
    if (pages > MOST_PAGES || mincore(leaf, LEAF_BYTES, in_use) < 0)
        return;
    size_t end = 0; // of the last run in this leaf, as a page; 0: none yet
    for (size_t i = 0; i < pages; i++) {
        if ((in_use[i] & 1) == 0)
            continue;
        const bool joined = end != 0 && i - end <= GAP;
        const size_t more = joined ? i + 1 - end : 1;
        if (more > *pages_left || (!joined && map->run_count == PC_ALLOCMAP_RUNS))
            return;
        *pages_left -= more;
        if (!joined)
            map->runs[map->run_count++] = (pc_allocmap_run){.start = leaf + i * page};
        map->runs[map->run_count - 1].bytes += more * page;
        end = i + 1;
    }
}

static void leaf_empty(void *leaf)
{
    // Anonymous pages read as zeros from now on; but pages that are locked, as by mlockall, are not given back.
    if (madvise(leaf, LEAF_BYTES, MADV_DONTNEED) != 0)
        memset(leaf, 0, LEAF_BYTES);
}

void pc_allocmap_clear(pc_allocmap *map)
{
    size_t pages_left = KEPT_BYTES / (size_t)sysconf(_SC_PAGESIZE);
    map->run_count = 0;
    for (size_t i = 0; i < leaf_count(map); i++) {
        void *leaf = leaf_at(map, i);
        if (leaf == NULL)
            continue;
        if (pages_left > 0)
            remember(map, leaf, &pages_left);
        leaf_empty(leaf);
    }
}

void pc_allocmap_begin(pc_allocmap *map)
{
    for (size_t i = 0; i < leaf_count(map); i++) {
        void *leaf = leaf_at(map, i);
        if (leaf != NULL)
            leaf_empty(leaf);
    }
    for (size_t i = 0; i < map->run_count; i++)
        (void)madvise(map->runs[i].start, map->runs[i].bytes, POPULATE_WRITE); // -EINVAL before Linux 5.14
}

// Make the leaf of `address`, or find the one that another thread has just made. False without memory.
static bool leaf_make(pc_allocmap *map, uintptr_t address)
{
    // The slot in the list is claimed first: a leaf that clear() does not know must never be published.
    if (leaf_count(map) == PC_ALLOCMAP_LEAVES)
        return false;
    pc_allocmap_entry *leaf = pages_map(LEAF_BYTES);
    if (leaf == NULL)
        return false;
    size_t slot = atomic_fetch_add_explicit(&map->made_count, 1, memory_order_relaxed);
    pc_allocmap_entry *none = NULL;
    if (slot >= PC_ALLOCMAP_LEAVES) {
        (void)munmap(leaf, LEAF_BYTES);
        return false;
    }
    // Release: pairs with the acquire in pc_allocmap_leaf. A loser reads nothing through `none`.
    if (!atomic_compare_exchange_strong_explicit(&map->root[address >> PC_ALLOCMAP_LEAF_BITS], &none, leaf,
                                                 memory_order_release, memory_order_relaxed)) {
        (void)munmap(leaf, LEAF_BYTES); // the slot stays empty
        return true;
    }
    // Release: pairs with the acquire in pc_allocmap_clear.
    atomic_store_explicit(&map->made[slot], leaf, memory_order_release);
    return true;
}

// The entry of the granule at `address`, or NULL where no leaf is.
static pc_allocmap_entry *entry_find(const pc_allocmap *map, uintptr_t address)
{
    if (address >> PC_ALLOCMAP_ADDRESS_BITS != 0)
        return NULL;
    pc_allocmap_entry *leaf = pc_allocmap_leaf(map, address);
    return leaf == NULL ? NULL : pc_allocmap_entry_in(leaf, address);
}

static pc_allocmap_entry *entry_make(pc_allocmap *map, uintptr_t address)
{
    if (address >> PC_ALLOCMAP_ADDRESS_BITS != 0)
        return NULL;
    pc_allocmap_entry *entry = entry_find(map, address);
    if (entry == NULL && leaf_make(map, address))
        entry = entry_find(map, address);
    return entry;
}

// The address of the i-th granule after the block's first.
static uintptr_t tail_address(const void *block, size_t i)
{
    return (uintptr_t)block + (i << PC_ALLOCMAP_GRANULE_BITS);
}

bool pc_allocmap_put_slow(pc_allocmap *map, const void *block, size_t number)
{
    if (((uintptr_t)block & 15) != 0)
        return false;
    pc_allocmap_entry *head = entry_make(map, (uintptr_t)block);
    if (head == NULL)
        return false;
    if (number <= PC_ALLOCMAP_SMALL) {
        atomic_store_explicit(head, (uint16_t)(number + 1), memory_order_relaxed);
        return true;
    }
    pc_allocmap_entry *tail[TAIL];
    for (size_t i = 0; i < TAIL; i++) { // the tail may lie in the next leaf
        tail[i] = entry_make(map, tail_address(block, i + 1));
        if (tail[i] == NULL)
            return false;
    }
    for (size_t i = 0; i < TAIL; i++)
        atomic_store_explicit(tail[i], (uint16_t)(number >> (i * TAIL_BITS)), memory_order_relaxed);
    atomic_store_explicit(head, LARGE, memory_order_relaxed);
    return true;
}

bool pc_allocmap_take_large(pc_allocmap *map, const void *block, size_t *number)
{
    pc_allocmap_entry *head = entry_find(map, (uintptr_t)block);
    assert(head != NULL);
    size_t found = 0;
    for (size_t i = 0; i < TAIL; i++) {
        pc_allocmap_entry *tail = entry_find(map, tail_address(block, i + 1));
        if (tail == NULL)
            return false; // not an entry that put() has made: a map that was cleared meanwhile
        found |= (size_t)atomic_load_explicit(tail, memory_order_relaxed) << (i * TAIL_BITS);
        // Cleared, so that the granule is nobody's when another block begins there.
        atomic_store_explicit(tail, 0, memory_order_relaxed);
    }
    atomic_store_explicit(head, 0, memory_order_relaxed);
    *number = found;
    return true;
}

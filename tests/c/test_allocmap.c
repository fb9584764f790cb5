// link: -Wl,--wrap=mmap
// SPDX-License-Identifier: MIT
// pc_allocmap and pc_alloccount: every size, both sides of a leaf's end, wrong addresses, every mapping failing once,
// pages that are locked, and threads that come and go.
#include "check.h"
#include "failing_malloc.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_alloccount.h"
#include "measure/pc_allocmap.h"

void *__real_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset);

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    return allocation_fails(bytes) ? MAP_FAILED : __real_mmap(address, bytes, protection, flags, file, offset);
}

// The map reads and writes its own entries alone, so any address does.
static const void *at(uintptr_t address)
{
    return (const void *)address; // NOLINT: never followed
}

static bool gives_back(pc_allocmap *map, uintptr_t address, size_t number)
{
    size_t found = SIZE_MAX, again = SIZE_MAX;
    return pc_allocmap_put(map, at(address), number) && pc_allocmap_take(map, at(address), &found) && found == number &&
           !pc_allocmap_take(map, at(address), &again) && again == SIZE_MAX;
}

static const uintptr_t LEAF = (uintptr_t)1 << PC_ALLOCMAP_LEAF_BITS;

static void test_sizes(void)
{
    pc_allocmap map;
    CHECK(pc_allocmap_init(&map) == 0);
    size_t absent = 7;
    CHECK(!pc_allocmap_take(&map, at(0x1000), &absent) && absent == 7);
    bool all = true;
    for (size_t number = 0; number <= 70000; number++)
        all = all && gives_back(&map, 0x10000, number);
    CHECK(all);
    CHECK(gives_back(&map, 0x10000, PC_ALLOCMAP_SMALL));
    CHECK(gives_back(&map, 0x10000, PC_ALLOCMAP_SMALL + 1));
    CHECK(gives_back(&map, 0x10000, ((size_t)1 << 48) - 1));
    // A large number across the end of a leaf, with none, one, two and three of its entries behind it.
    for (uintptr_t before = 16; before <= 64; before += 16)
        CHECK(gives_back(&map, 5 * LEAF - before, 0x123456789ABC));
    // What a large block leaves behind is nobody's.
    CHECK(pc_allocmap_put(&map, at(0x20000), 0xFFFFFFFFFFFF));
    size_t number;
    CHECK(pc_allocmap_take(&map, at(0x20000), &number));
    for (uintptr_t tail = 0x20000; tail < 0x20100; tail += 16)
        CHECK(!pc_allocmap_take(&map, at(tail), &number));
    pc_allocmap_destroy(&map);
}

static void test_neighbours_and_clear(void)
{
    pc_allocmap map;
    CHECK(pc_allocmap_init(&map) == 0);
    size_t number;
    bool all = true;
    for (uintptr_t i = 0; i < 10000; i++)
        all = all && pc_allocmap_put(&map, at(LEAF + i * 16), i % 17);
    for (uintptr_t i = 0; i < 10000; i += 2)
        all = all && pc_allocmap_take(&map, at(LEAF + i * 16), &number) && number == i % 17;
    for (uintptr_t i = 1; i < 10000; i += 4)
        all = all && pc_allocmap_take(&map, at(LEAF + i * 16), &number) && number == i % 17;
    CHECK(all);
    pc_allocmap_clear(&map);
    bool none = true;
    for (uintptr_t i = 0; i < 10000; i++)
        none = none && !pc_allocmap_take(&map, at(LEAF + i * 16), &number);
    CHECK(none);
    CHECK(gives_back(&map, LEAF, 40));
    pc_allocmap_destroy(&map);
}

static void test_refused_addresses(void)
{
    pc_allocmap map;
    CHECK(pc_allocmap_init(&map) == 0);
    size_t number;
    CHECK(!pc_allocmap_put(&map, at(0x1008), 8)); // two blocks could share the granule
    CHECK(!pc_allocmap_put(&map, at((uintptr_t)1 << PC_ALLOCMAP_ADDRESS_BITS), 8));
    CHECK(!pc_allocmap_take(&map, at(UINTPTR_MAX - 15), &number));
    CHECK(gives_back(&map, ((uintptr_t)1 << PC_ALLOCMAP_ADDRESS_BITS) - 64, 64));
    // The tail would lie outside of user space.
    CHECK(!pc_allocmap_put(&map, at(((uintptr_t)1 << PC_ALLOCMAP_ADDRESS_BITS) - 16), 1 << 20));
    CHECK(!pc_allocmap_take(&map, at(((uintptr_t)1 << PC_ALLOCMAP_ADDRESS_BITS) - 16), &number));
    pc_allocmap_destroy(&map);
}

static void test_out_of_memory(void)
{
    pc_allocmap map;
    for (long n = 0; n < 2; n++) {
        fail_at = n;
        CHECK(pc_allocmap_init(&map) == -ENOMEM);
        fail_at = -1;
    }
    CHECK(pc_allocmap_init(&map) == 0);
    size_t number;
    fail_at = 0;
    CHECK(!pc_allocmap_put(&map, at(3 * LEAF), 8));
    fail_at = -1;
    CHECK(!pc_allocmap_take(&map, at(3 * LEAF), &number));
    CHECK(gives_back(&map, 3 * LEAF, 8)); // the next time there is memory
    fail_at = 1;                          // the head's leaf, but not the tail's
    CHECK(!pc_allocmap_put(&map, at(8 * LEAF - 32), 1 << 20));
    fail_at = -1;
    CHECK(!pc_allocmap_take(&map, at(8 * LEAF - 32), &number));
    CHECK(gives_back(&map, 8 * LEAF - 32, 1 << 20));
    pc_allocmap_destroy(&map);
}

// Put a block into each of `count` pages of the map, every `step`-th of a leaf, and clear it.
static void fill_and_clear(pc_allocmap *map, size_t leaf, size_t step, size_t count)
{
    const uintptr_t covered = (uintptr_t)sysconf(_SC_PAGESIZE) / sizeof(pc_allocmap_entry) * 16; // by a page
    bool put = true;
    for (size_t i = 0; i < count; i++)
        put = put && pc_allocmap_put(map, at(leaf * LEAF + i * step * covered), 8);
    CHECK(put);
    pc_allocmap_clear(map);
}

static void test_remembered_pages(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pc_allocmap map;
    size_t number;
    CHECK(pc_allocmap_init(&map) == 0);
    pc_allocmap_clear(&map);
    CHECK(map.run_count == 0);
    fill_and_clear(&map, 3, 2, 10); // small gaps belong to the run
    CHECK(map.run_count == 1 && map.runs[0].bytes == 19 * page);
    pc_allocmap_begin(&map);
    CHECK(!pc_allocmap_take(&map, at(3 * LEAF), &number) && gives_back(&map, 3 * LEAF, 8));
    CHECK(pc_allocmap_put(&map, at(3 * LEAF), 8)); // a thread that comes late
    pc_allocmap_begin(&map);
    CHECK(!pc_allocmap_take(&map, at(3 * LEAF), &number) && map.run_count == 1);
    pc_allocmap_clear(&map); // pages that were asked for are in use
    CHECK(map.run_count == 1 && map.runs[0].bytes == 19 * page);
    fill_and_clear(&map, 3, 20, 100); // more runs than there is room for
    CHECK(map.run_count == PC_ALLOCMAP_RUNS && map.runs[5].bytes == page);
    pc_allocmap_destroy(&map);
    CHECK(pc_allocmap_init(&map) == 0);
    fill_and_clear(&map, 4, 1, 3 * (4 << 20) / 2 / page); // more pages than are kept
    size_t bytes = 0;
    for (size_t i = 0; i < map.run_count; i++)
        bytes += map.runs[i].bytes;
    CHECK(bytes == 4 << 20);
    pc_allocmap_destroy(&map);
}

static void free_records(pc_alloccount *count)
{
    pc_alloc_thread *thread = atomic_load(&count->threads);
    while (thread != NULL) {
        pc_alloc_thread *next = thread->next;
        pc_free(thread);
        thread = next;
    }
}

// Pages that are locked cannot be given back: their entries go all the same.
static void test_locked_pages(void)
{
    pc_allocmap map;
    size_t number;
    CHECK(pc_allocmap_init(&map) == 0);
    for (int round = 0; round < 2; round++) {
        CHECK(pc_allocmap_put(&map, at(LEAF + 0x1000), 5) && pc_allocmap_put(&map, at(2 * LEAF - 16), 6));
        void *leaf = atomic_load(&map.made[0]);
        // Not by mlock(), which does nothing under a sanitizer.
        if (round == 0 && syscall(SYS_mlock, leaf, (size_t)sysconf(_SC_PAGESIZE)) != 0)
            printf("locked pages: not tried, this user may not lock one\n");
        if (round == 0)
            pc_allocmap_clear(&map);
        else
            pc_allocmap_begin(&map);
        CHECK(!pc_allocmap_take(&map, at(LEAF + 0x1000), &number));
        CHECK(!pc_allocmap_take(&map, at(2 * LEAF - 16), &number));
    }
    pc_allocmap_destroy(&map);
}

static void test_counts(void)
{
    static pc_alloccount count;
    fail_at = 0;
    CHECK(pc_alloccount_join(&count, 1) == NULL);
    fail_at = -1;
    pc_alloc_thread *first = pc_alloccount_join(&count, 11), *second = pc_alloccount_join(&count, 12);
    CHECK(first != NULL && second != NULL && first != second);
    pc_alloc_thread_add(first, PC_ALLOC_ALLOCATIONS, 3);
    pc_alloc_thread_add(second, PC_ALLOC_ALLOCATIONS, 4);
    pc_alloccount_leave(second);
    uint64_t counts[PC_ALLOC_KINDS];
    CHECK(pc_alloccount_next(&count, NULL, counts) == first && counts[PC_ALLOC_ALLOCATIONS] == 3);
    CHECK(pc_alloccount_next(&count, first, counts) == NULL);
    // A later thread takes the record over: its own figures begin at zero, the sum keeps all.
    CHECK(pc_alloccount_join(&count, 13) == second);
    pc_alloc_thread_add(second, PC_ALLOC_ALLOCATIONS, 5);
    CHECK(pc_alloccount_next(&count, NULL, counts) == second && counts[PC_ALLOC_ALLOCATIONS] == 5);
    CHECK(atomic_load(&second->id) == 13 && atomic_load(&second->turn) == 1 && atomic_load(&first->turn) == 0);
    pc_alloc_totals totals;
    pc_alloccount_read(&count, &totals);
    CHECK(totals.counts[PC_ALLOC_ALLOCATIONS] == 12 && totals.live == 0 && totals.lost == 0);
    pc_alloccount_forked(&count, first);
    CHECK(pc_alloccount_next(&count, NULL, counts) == first);
    CHECK(pc_alloccount_next(&count, first, counts) == NULL);

    pc_alloccount_live(&count, true, 100);
    pc_alloccount_live(&count, false, 50);
    pc_alloccount_live(&count, true, -100);
    pc_alloccount_live(&count, false, 10);
    pc_alloccount_read(&count, &totals);
    CHECK(totals.live == 60);
    CHECK(pc_alloccount_take_peak(&count) == 150);
    CHECK(pc_alloccount_take_peak(&count) == 60);
    atomic_store(&count.shared, true);
    pc_alloccount_live(&count, true, 7);
    CHECK(pc_alloccount_take_peak(&count) == 67);
    free_records(&count);
}

// Threads that come and go, each with blocks of its own in leaves that all of them make at once.
enum { THREADS = 4, LIVES = 20, BLOCKS = 2000 };
static pc_allocmap shared_map;
static pc_alloccount shared_count;
static _Atomic(int) wrong;

static void *worker(void *argument)
{
    uintptr_t slot = *(uintptr_t *)argument;
    for (int life = 0; life < LIVES; life++) {
        pc_alloc_thread *me = pc_alloccount_join(&shared_count, (int64_t)slot);
        if (me == NULL) {
            atomic_fetch_add(&wrong, 1);
            return NULL;
        }
        for (uintptr_t i = 0; i < BLOCKS; i++) {
            uintptr_t address = (i % 16) * LEAF + 0x100000 * slot + i * 64;
            size_t number = i % 5 == 0 ? 100000 + i : i, found = 0;
            bool kept = pc_allocmap_put(&shared_map, at(address), number);
            pc_alloc_thread_add(me, PC_ALLOC_ALLOCATIONS, 1);
            pc_alloccount_live(&shared_count, false, (int64_t)number);
            kept = kept && pc_allocmap_take(&shared_map, at(address), &found) && found == number;
            pc_alloccount_live(&shared_count, false, -(int64_t)number);
            atomic_fetch_add(&wrong, kept ? 0 : 1);
        }
        pc_alloccount_leave(me);
    }
    return NULL;
}

static void test_threads(void)
{
    CHECK(pc_allocmap_init(&shared_map) == 0);
    pthread_t threads[THREADS];
    uintptr_t slots[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        slots[i] = i + 1;
        CHECK(pthread_create(&threads[i], NULL, worker, &slots[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK(atomic_load(&wrong) == 0);
    pc_alloc_totals totals;
    pc_alloccount_read(&shared_count, &totals);
    CHECK(totals.counts[PC_ALLOC_ALLOCATIONS] == (uint64_t)THREADS * LIVES * BLOCKS);
    CHECK(totals.live == 0);
    int records = 0;
    for (pc_alloc_thread *thread = atomic_load(&shared_count.threads); thread != NULL; thread = thread->next)
        records++;
    CHECK(records >= 1 && records <= THREADS); // taken over, not piled up
    int64_t peak = pc_alloccount_take_peak(&shared_count);
    CHECK(peak >= 100000 + BLOCKS - 5 && peak <= THREADS * (100000 + BLOCKS));
    free_records(&shared_count);
    pc_allocmap_destroy(&shared_map);
}

int main(void)
{
    test_sizes();
    test_neighbours_and_clear();
    test_refused_addresses();
    test_out_of_memory();
    test_remembered_pages();
    test_locked_pages();
    test_counts();
    test_threads();
    return CHECK_EXIT();
}

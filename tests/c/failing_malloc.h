// link: -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
// SPDX-License-Identifier: MIT
// Allocations that fail when a test says so. Included by the test itself, whose program run.py then links with the line
// above. Thread contract: any thread, for what is tested may allocate in a thread of its own.
#ifndef PC_FAILING_MALLOC_H
#define PC_FAILING_MALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static atomic_long fail_at = -1;       // the allocation that fails, counted from now: 0 is the next one; -1: none
static atomic_size_t allocation_count; // since the test last set it to 0
static atomic_size_t allocated_bytes;  // asked for, likewise

// Whether the allocation under way is the one. It fails alone: the next one succeeds.
static bool allocation_fails(size_t bytes)
{
    (void)atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&allocated_bytes, bytes, memory_order_relaxed);
    return atomic_load_explicit(&fail_at, memory_order_relaxed) >= 0 &&
           atomic_fetch_sub_explicit(&fail_at, 1, memory_order_relaxed) == 0;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return allocation_fails(size) ? NULL : __real_realloc(block, size);
}

#endif

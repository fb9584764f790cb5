// SPDX-License-Identifier: MIT
// An allocator in front of malloc (LD_PRELOAD) that fails what perfcore's own C asks for, and nothing else; faults.py
// compiles and drives it. What CPython allocates, `_testcapi.set_nomemory` fails.
//
//     cc -shared -fPIC -O2 -o nomalloc.so nomalloc.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);

enum { RANGES = 32 };
static struct {
    uintptr_t begin, end;
} ranges[RANGES];
static atomic_int ranges_length;

static atomic_long live;      // blocks that are perfcore's now
static atomic_long countdown; // calls to go until the one that fails; 0: none will

static void find_next(void)
{
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
}

static bool is_ours(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    for (int i = 0; i < atomic_load(&ranges_length); i++) {
        if (at >= ranges[i].begin && at < ranges[i].end)
            return true;
    }
    return false;
}

static bool fails(void)
{
    long before = atomic_load(&countdown);
    while (before > 0) {
        if (atomic_compare_exchange_weak(&countdown, &before, before == 1 ? -1 : before - 1))
            return before == 1;
    }
    return false;
}

void *malloc(size_t size)
{
    if (next_malloc == NULL)
        find_next();
    if (!is_ours(__builtin_return_address(0)))
        return next_malloc(size);
    void *block = fails() ? NULL : next_malloc(size);
    atomic_fetch_add(&live, block != NULL);
    return block;
}

void *calloc(size_t count, size_t size)
{
    if (next_malloc == NULL)
        find_next();
    if (!is_ours(__builtin_return_address(0)))
        return next_calloc(count, size);
    void *block = fails() ? NULL : next_calloc(count, size);
    atomic_fetch_add(&live, block != NULL);
    return block;
}

void *realloc(void *old, size_t size)
{
    if (next_malloc == NULL)
        find_next();
    if (!is_ours(__builtin_return_address(0)))
        return next_realloc(old, size);
    void *block = fails() ? NULL : next_realloc(old, size);
    atomic_fetch_add(&live, old == NULL && block != NULL);
    return block;
}

void free(void *block)
{
    if (next_malloc == NULL)
        find_next();
    if (block != NULL && is_ours(__builtin_return_address(0)))
        atomic_fetch_sub(&live, 1);
    next_free(block);
}

static int find_code(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    const char *name = argument;
    if (strstr(info->dlpi_name, name) == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        int length = atomic_load(&ranges_length);
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0 || length == RANGES)
            continue;
        ranges[length].begin = info->dlpi_addr + header->p_vaddr;
        ranges[length].end = ranges[length].begin + header->p_memsz;
        atomic_store(&ranges_length, length + 1);
    }
    return 0;
}

// Take the calls from what is loaded with `name` in its path for ours, too; return the number of ranges of code.
int nomalloc_watch(char *name)
{
    dl_iterate_phdr(find_code, name);
    return atomic_load(&ranges_length);
}

// Fail the nth call from now on, counted from 1; 0: none.
void nomalloc_arm(long nth)
{
    atomic_store(&countdown, nth);
}

// Whether a call has failed since.
int nomalloc_failed(void)
{
    return atomic_load(&countdown) < 0;
}

long nomalloc_live(void)
{
    return atomic_load(&live);
}

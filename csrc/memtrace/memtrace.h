// SPDX-License-Identifier: MIT
// What the files of the extension perfcore._memtrace share: hooks.c (the allocators), sites.c (where blocks come from),
// window.c and tracker.c (the type), module.c.
//
// The allocators of CPython belong to the process, and so does the state of these hooks: it is static, and the module
// opts out of sub-interpreters. All functions here are called with the GIL held, unless they say otherwise.
#ifndef PC_MEMTRACE_H
#define PC_MEMTRACE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "base/pc_common.h"
#include "measure/pc_alloccount.h"
#include "measure/pc_allocmap.h"

// What one call site has allocated since the process began, and what of it is live.
typedef struct site_totals {
    int64_t allocations; // and reallocations
    int64_t bytes;       // requested by them
    int64_t live_blocks;
    int64_t live_bytes;
} site_totals;

// --- hooks.c

// Reserve what the hooks need, once in a process. -1 with MemoryError.
int hooks_init(void) PC_NODISCARD;

// Begin to count, or count on; `sites`: record call sites too. Each open is closed once. -1 with MemoryError.
int hooks_open(bool sites) PC_NODISCARD;
void hooks_close(bool sites);

// Whether allocations of every domain come to the hooks: false when another tool has put its own in their place.
bool hooks_in_place(void);

// The counters.
pc_alloccount *hooks_count(void);

// --- sites.c

enum { SITES_MAX = PC_ALLOCMAP_SMALL };

int sites_init(void) PC_NODISCARD;
void sites_clear_blocks(void);

// Called from the hooks. `locked`: the GIL is held, so that the frame may be asked for.
void sites_allocated(const void *block, size_t bytes, bool locked);

// Take a block from its site before it goes, and put it back where it has not gone. False: it is older than the sites.
bool sites_take(const void *block, size_t bytes, size_t *number);
void sites_put(const void *block, size_t bytes, size_t number);

// Copy the totals of all sites. A new array for pc_free, or NULL with MemoryError.
site_totals *sites_snapshot(size_t *length) PC_NODISCARD;

// The file (borrowed) and line of a site.
PyObject *site_file(size_t site);
int site_line(size_t site);

// --- tracker.c

int tracker_setup(PyObject *module) PC_NODISCARD;

#endif

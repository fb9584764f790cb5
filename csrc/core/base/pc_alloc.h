// SPDX-License-Identifier: MIT
// The one allocation seam of the core: every block comes from here, so that a test can make each allocation fail once
// (link with -Wl,--wrap=malloc,--wrap=realloc,--wrap=calloc: nothing else in the core calls those). Thread contract:
// any thread.
#ifndef PC_ALLOC_H
#define PC_ALLOC_H

#include "base/pc_common.h"

// Return `count * size` bytes, not zeroed, or NULL when there is no memory or the product overflows. Free with pc_free.
void *pc_alloc(size_t count, size_t size) PC_NODISCARD;

// The same, zeroed; large blocks are untouched pages until they are written.
void *pc_alloc_zero(size_t count, size_t size) PC_NODISCARD;

// Resize `block` (or NULL) to `count * size` bytes. NULL on failure, with `block` left as it was.
void *pc_realloc(void *block, size_t count, size_t size) PC_NODISCARD;

// Free a block; NULL is allowed.
void pc_free(void *block);

#endif

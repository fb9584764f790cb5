// SPDX-License-Identifier: MIT
// The allocation seam (see the header). A request of 0 bytes returns a valid block, so that NULL always means failure.
#include "base/pc_alloc.h"

#include <stdlib.h>

static bool product(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes))
        return false;
    if (*bytes == 0)
        *bytes = 1;
    return true;
}

void *pc_alloc(size_t count, size_t size)
{
    size_t bytes;
    return product(count, size, &bytes) ? malloc(bytes) : NULL;
}

void *pc_alloc_zero(size_t count, size_t size)
{
    size_t bytes;
    return product(count, size, &bytes) ? calloc(1, bytes) : NULL;
}

void *pc_realloc(void *block, size_t count, size_t size)
{
    size_t bytes;
    return product(count, size, &bytes) ? realloc(block, bytes) : NULL;
}

void pc_free(void *block)
{
    free(block);
}

// SPDX-License-Identifier: MIT
// A growing run of bytes (see the header).
#include "workload/pc_out.h"

#include <string.h>

#include "base/pc_alloc.h"

void pc_out_init(pc_out *out, char *storage, size_t capacity)
{
    *out = (pc_out){.data = storage, .capacity = capacity};
}

void pc_out_clear(pc_out *out)
{
    if (out->owned)
        pc_free(out->data);
    *out = (pc_out){0};
}

int pc_out_grow(pc_out *out, size_t extra)
{
    size_t wanted;
    if (__builtin_add_overflow(out->length, extra, &wanted))
        return -ENOMEM;
    size_t bigger = wanted;
    if (out->capacity <= SIZE_MAX / 2 && out->capacity * 2 > wanted)
        bigger = out->capacity * 2;
    char *moved = pc_realloc(out->owned ? out->data : NULL, bigger, 1);
    if (moved == NULL)
        return -ENOMEM;
    if (!out->owned && out->length > 0)
        memcpy(moved, out->data, out->length);
    out->data = moved;
    out->capacity = bigger;
    out->owned = true;
    return 0;
}

// SPDX-License-Identifier: MIT
// A growing run of bytes that begins in storage of the caller's (mostly on its stack), so that a small message is
// written without an allocation. Invariant: length <= capacity, and data has capacity bytes. Single owner.
#ifndef PC_OUT_H
#define PC_OUT_H

#include "base/pc_common.h"

typedef struct pc_out {
    char *data;
    size_t length;
    size_t capacity;
    bool owned; // data is a block of our own
} pc_out;

// Begin in `storage`, which outlives `out`.
void pc_out_init(pc_out *out, char *storage, size_t capacity);

// Free what was allocated. `out` is not to be used again before pc_out_init.
void pc_out_clear(pc_out *out);

// Move to a block with room for `extra` more bytes. For pc_out_reserve. -ENOMEM leaves `out` as it was.
int pc_out_grow(pc_out *out, size_t extra) PC_NODISCARD;

// Make sure that `extra` more bytes fit behind data + length.
PC_NODISCARD static inline int pc_out_reserve(pc_out *out, size_t extra)
{
    return PC_LIKELY(out->capacity - out->length >= extra) ? 0 : pc_out_grow(out, extra);
}

#endif

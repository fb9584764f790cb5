// SPDX-License-Identifier: MIT
// A growing array of doubles: the samples of one benchmark, 8 bytes each. Invariants: length <= capacity; data is NULL
// only while capacity is 0. Capacity grows by half, through realloc, so that pages past the length stay untouched.
// Thread contract: single owner.
#ifndef PC_SAMPLES_H
#define PC_SAMPLES_H

#include "base/pc_alloc.h"

typedef struct pc_samples {
    double *data;
    size_t length;
    size_t capacity;
} pc_samples;

// Make an empty array.
void pc_samples_init(pc_samples *samples);

// Release the memory and make it empty again.
void pc_samples_clear(pc_samples *samples);

// Make room for `extra` more values. -ENOMEM, with the samples as they were.
int pc_samples_reserve(pc_samples *samples, size_t extra) PC_NODISCARD;

// Append one value. -ENOMEM, with the samples as they were.
static inline int pc_samples_push(pc_samples *samples, double value)
{
    if (PC_UNLIKELY(samples->length == samples->capacity)) {
        int status = pc_samples_reserve(samples, 1);
        if (status < 0)
            return status;
    }
    samples->data[samples->length++] = value;
    return 0;
}

#endif

// SPDX-License-Identifier: MIT
// Growing array of samples (see the header).
#include "measure/pc_samples.h"

enum { FIRST_CAPACITY = 64 };

void pc_samples_init(pc_samples *samples)
{
    samples->data = NULL;
    samples->length = 0;
    samples->capacity = 0;
}

void pc_samples_clear(pc_samples *samples)
{
    pc_free(samples->data);
    pc_samples_init(samples);
}

int pc_samples_reserve(pc_samples *samples, size_t extra)
{
    size_t wanted;
    if (__builtin_add_overflow(samples->length, extra, &wanted))
        return -ENOMEM;
    if (wanted <= samples->capacity)
        return 0;
    size_t capacity = samples->capacity + samples->capacity / 2;
    if (capacity < wanted)
        capacity = wanted;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    double *data = pc_realloc(samples->data, capacity, sizeof *data);
    if (data == NULL)
        return -ENOMEM;
    samples->data = data;
    samples->capacity = capacity;
    return 0;
}

// SPDX-License-Identifier: MIT
// The Samples type, for the bindings that fill it or read it.
#ifndef PC_EXT_SAMPLES_H
#define PC_EXT_SAMPLES_H

#include "ext.h"
#include "measure/pc_samples.h"

typedef struct samples_object {
    PyObject_HEAD
    pc_samples values;
    Py_ssize_t exports; // buffers handed out; while there is one, the array must not move
} samples_object;

// Make room for `extra` more values. 0, or -1 with MemoryError, or BufferError while a buffer is exported.
int samples_reserve(samples_object *self, size_t extra) PC_NODISCARD;

// Make an empty Samples. NULL with an exception.
samples_object *samples_create(core_state *state) PC_NODISCARD;

#endif

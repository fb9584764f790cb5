// SPDX-License-Identifier: MIT
// Arguments that are arrays of doubles: any one-dimensional C-contiguous buffer of them (Samples, array('d'), NumPy
// float64). Invariant: until the release the values stay what and where they are, also while the GIL is released: a
// Samples, whose values never change, is held by an export; of any other buffer, which another thread may write into at
// any time, a copy is taken. Contract: called with the GIL held.
#ifndef PC_EXT_DOUBLES_H
#define PC_EXT_DOUBLES_H

#include "ext.h"
#include "measure/samples.h"

typedef struct doubles {
    const double *values;
    size_t count;
    samples_object *samples; // that the values are in; NULL: they are a copy of our own
} doubles;

// Fill `result` with the doubles of `object`; `name` is the argument's, for the error. 0, or -1 with an exception and
// nothing to release.
int doubles_get(const core_state *state, PyObject *object, const char *name, doubles *result) PC_NODISCARD;

// The same, and refuse (ValueError) an empty buffer and one with a value that is not finite.
int doubles_get_finite(const core_state *state, PyObject *object, const char *name, doubles *result) PC_NODISCARD;

void doubles_release(const doubles *held);

#endif

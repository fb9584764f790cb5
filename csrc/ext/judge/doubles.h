// SPDX-License-Identifier: MIT
// Arguments that are arrays of doubles: any one-dimensional C-contiguous buffer of them (Samples, array('d'), NumPy
// float64), taken without a copy. The buffer is held until it is released, so that a Samples cannot move while the GIL
// is. Contract: called with the GIL held.
#ifndef PC_EXT_DOUBLES_H
#define PC_EXT_DOUBLES_H

#include "ext.h"

// Fill `view` with the doubles of `object`; `name` is the argument's, for the error. 0, or -1 with an exception and
// nothing to release.
int doubles_get(PyObject *object, const char *name, Py_buffer *view) PC_NODISCARD;

// The same, and refuse (ValueError) an empty buffer and one with a value that is not finite.
int doubles_get_finite(PyObject *object, const char *name, Py_buffer *view) PC_NODISCARD;

static inline size_t doubles_count(const Py_buffer *view)
{
    return (size_t)view->len / sizeof(double);
}

#endif

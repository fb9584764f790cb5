// SPDX-License-Identifier: MIT
// Arguments of METH_FASTCALL | METH_KEYWORDS methods: CPython's own parser for them is private.
#ifndef PC_EXT_ARGUMENTS_H
#define PC_EXT_ARGUMENTS_H

#include "ext.h"

// What a method takes: names in order, NULL at the end; the first `required` must be given, and those from
// `positional` on are keywords alone.
typedef struct arguments_spec {
    const char *function;
    const char *const *names;
    Py_ssize_t required;
    Py_ssize_t positional;
} arguments_spec;

// Put borrowed references into `values`, NULL for what was not given. 0, or -1 with TypeError.
int arguments_parse(const arguments_spec *spec, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                    PyObject **values) PC_NODISCARD;

// A size that may be None or NULL, which mean SIZE_MAX. 0, or -1 with TypeError or ValueError naming `what`.
int arguments_size(PyObject *value, const char *what, size_t *size) PC_NODISCARD;

// A text as an exact str, a new reference: what a subclass of str (a StrEnum, say) does with equality is no business of
// whoever keeps it. NULL with TypeError that begins with `what`.
PyObject *arguments_text(PyObject *value, const char *what);

#endif

// SPDX-License-Identifier: MIT
// Buffers of doubles as arguments (see the header).
#include "judge/doubles.h"

#include "judge/pc_stats.h"

// Whether a struct format means one native double: "d", after an optional byte order that is this machine's.
static bool is_double_format(const char *format)
{
    if (format == NULL)
        return false;
    if (*format == '@' || *format == '=' || *format == (PY_LITTLE_ENDIAN ? '<' : '>'))
        format++;
    return strcmp(format, "d") == 0;
}

int doubles_get(PyObject *object, const char *name, Py_buffer *view)
{
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s must be a buffer of doubles (Samples, array('d'), NumPy float64), not '%.200s'", name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyObject_GetBuffer(object, view, PyBUF_ND | PyBUF_FORMAT) < 0)
        return -1;
    if (view->ndim != 1)
        PyErr_Format(PyExc_TypeError, "%s must have one dimension, not %d", name, view->ndim);
    else if (!is_double_format(view->format) || view->itemsize != (Py_ssize_t)sizeof(double))
        PyErr_Format(PyExc_TypeError, "%s must be doubles (buffer format 'd'), not '%.50s'", name,
                     view->format != NULL ? view->format : "B");
    else if (view->len > 0 && (uintptr_t)view->buf % _Alignof(double) != 0)
        PyErr_Format(PyExc_ValueError, "%s must be aligned in memory; pass a copy of this buffer", name);
    else
        return 0;
    PyBuffer_Release(view);
    return -1;
}

int doubles_get_finite(PyObject *object, const char *name, Py_buffer *view)
{
    if (doubles_get(object, name, view) < 0)
        return -1;
    const size_t count = doubles_count(view);
    const size_t index = count > 0 ? pc_stats_first_nonfinite(view->buf, count) : 0;
    if (count > 0 && index == count)
        return 0;
    if (count == 0) {
        PyErr_Format(PyExc_ValueError, "%s must not be empty", name);
    } else {
        PyObject *value = PyFloat_FromDouble(((const double *)view->buf)[index]);
        if (value != NULL)
            PyErr_Format(PyExc_ValueError, "%s must be finite, and number %zu is %R", name, index, value);
        Py_XDECREF(value);
    }
    PyBuffer_Release(view);
    return -1;
}

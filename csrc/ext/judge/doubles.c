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

// Copy the values behind a view. 0, or -1 with an exception.
static int copy_view(const Py_buffer *view, const char *name, doubles *result)
{
    if (view->ndim != 1) {
        PyErr_Format(PyExc_TypeError, "%s must have one dimension, not %d", name, view->ndim);
        return -1;
    }
    if (!is_double_format(view->format) || view->itemsize != (Py_ssize_t)sizeof(double)) {
        PyErr_Format(PyExc_TypeError, "%s must be doubles (buffer format 'd'), not '%.50s'", name,
                     view->format != NULL ? view->format : "B");
        return -1;
    }
    double *copy = PyMem_Malloc((size_t)view->len);
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (view->len > 0)
        memcpy(copy, view->buf, (size_t)view->len);
    *result = (doubles){.values = copy, .count = (size_t)view->len / sizeof *copy};
    return 0;
}

int doubles_get(const core_state *state, PyObject *object, const char *name, doubles *result)
{
    if (Py_IS_TYPE(object, state->samples_type)) {
        samples_object *samples = (samples_object *)Py_NewRef(object);
        samples->exports++;
        *result = (doubles){.values = samples->values.data, .count = samples->values.length, .samples = samples};
        return 0;
    }
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s must be a buffer of doubles (Samples, array('d'), NumPy float64), not '%.200s'", name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_ND | PyBUF_FORMAT) < 0)
        return -1;
    const int status = copy_view(&view, name, result);
    PyBuffer_Release(&view);
    return status;
}

void doubles_release(const doubles *held)
{
    if (held->samples == NULL) {
        PyMem_Free((void *)(uintptr_t)held->values);
        return;
    }
    held->samples->exports--;
    Py_DECREF(held->samples);
}

int doubles_get_finite(const core_state *state, PyObject *object, const char *name, doubles *result)
{
    doubles held;
    if (doubles_get(state, object, name, &held) < 0)
        return -1;
    const size_t index = held.count > 0 ? pc_stats_first_nonfinite(held.values, held.count) : 0;
    if (index < held.count) {
        PyObject *value = PyFloat_FromDouble(held.values[index]);
        if (value != NULL)
            PyErr_Format(PyExc_ValueError, "%s must be finite, and number %zu is %R", name, index, value);
        Py_XDECREF(value);
    } else if (held.count == 0) {
        PyErr_Format(PyExc_ValueError, "%s must not be empty", name);
    } else {
        *result = held;
        return 0;
    }
    doubles_release(&held);
    return -1;
}

// SPDX-License-Identifier: MIT
// Parsing of fast calls (see the header).
#include "workload/arguments.h"

static Py_ssize_t find_name(const arguments_spec *spec, PyObject *keyword)
{
    for (Py_ssize_t i = 0; spec->names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(keyword, spec->names[i]) == 0)
            return i;
    }
    return -1;
}

int arguments_parse(const arguments_spec *spec, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                    PyObject **values)
{
    if (nargs > spec->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments (%zd given)", spec->function,
                     spec->positional, nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; spec->names[i] != NULL; i++)
        values[i] = i < nargs ? args[i] : NULL;
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *keyword = PyTuple_GET_ITEM(kwnames, i);
        Py_ssize_t index = find_name(spec, keyword);
        if (index < 0 || values[index] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         index < 0 ? "%s() got an unexpected keyword argument '%U'"
                                   : "%s() got multiple values for argument '%U'",
                         spec->function, keyword);
            return -1;
        }
        values[index] = args[nargs + i];
    }
    for (Py_ssize_t i = 0; i < spec->required; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", spec->function, spec->names[i]);
            return -1;
        }
    }
    return 0;
}

int arguments_size(PyObject *value, const char *what, size_t *size)
{
    if (value == NULL || value == Py_None) {
        *size = SIZE_MAX;
        return 0;
    }
    Py_ssize_t number = PyNumber_AsSsize_t(value, PyExc_OverflowError);
    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number < 1) {
        PyErr_Format(PyExc_ValueError, "%s is %zd; it must be at least 1, or None for no limit", what, number);
        return -1;
    }
    *size = (size_t)number;
    return 0;
}

PyObject *arguments_text(PyObject *value, const char *what)
{
    if (!PyUnicode_Check(value))
        return PyErr_Format(PyExc_TypeError, "%s is a str, not %.100s", what, Py_TYPE(value)->tp_name);
    return PyUnicode_FromObject(value);
}

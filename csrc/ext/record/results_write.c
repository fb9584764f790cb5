// SPDX-License-Identifier: MIT
// join_doubles: the numbers of a JSON array as text, in the form that json.dumps gives floats, for results files with
// millions of samples (perfcore/record/write.py). The GIL is held: no object can change meanwhile.
#include "ext.h"

#include <math.h>
#include <string.h>

#include "record/results.h"
#include "record/pc_number_write.h"

// Write one float at `at`, where PC_DOUBLE_TEXT bytes are free. The end of the text, or NULL with an exception.
static char *write_double(char *at, double value)
{
    char *end = pc_double_write(at, value);
    if (PC_LIKELY(end != NULL))
        return end;
    if (!isfinite(value)) { // as json.dumps spells them
        const char *name = isnan(value) ? "NaN" : value > 0.0 ? "Infinity" : "-Infinity";
        const size_t length = strlen(name);
        memcpy(at, name, length);
        return at + length;
    }
    char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL)
        return NULL;
    const size_t length = strlen(text); // at most 24
    memcpy(at, text, length);
    PyMem_Free(text);
    return at + length;
}

PyDoc_STRVAR(join_doubles_doc,
             "join_doubles($module, values, separator, /)\n--\n\n"
             "The floats of a list as JSON numbers, with an ASCII separator between them; None where one is no float.");

static PyObject *join_doubles(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *values, *separator;
    if (!PyArg_ParseTuple(args, "O!U:join_doubles", &PyList_Type, &values, &separator))
        return NULL;
    if (!PyUnicode_IS_ASCII(separator)) {
        PyErr_SetString(PyExc_ValueError, "separator must be ASCII");
        return NULL;
    }
    const Py_ssize_t count = PyList_GET_SIZE(values), between = PyUnicode_GET_LENGTH(separator);
    const char *separator_text = (const char *)PyUnicode_1BYTE_DATA(separator);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyFloat_CheckExact(PyList_GET_ITEM(values, i)))
            Py_RETURN_NONE;
    }
    if (count == 0)
        return PyUnicode_New(0, 0);
    if (between > PY_SSIZE_T_MAX / count - PC_DOUBLE_TEXT)
        return PyErr_NoMemory();
    PyObject *text = PyUnicode_New(count * (PC_DOUBLE_TEXT + between), 127); // untouched memory costs nothing
    if (text == NULL)
        return NULL;
    char *const start = (char *)PyUnicode_1BYTE_DATA(text), *at = start;
    for (Py_ssize_t i = 0; at != NULL && i < count; i++) {
        if (i > 0) {
            memcpy(at, separator_text, (size_t)between);
            at += between;
        }
        at = write_double(at, PyFloat_AS_DOUBLE(PyList_GET_ITEM(values, i)));
    }
    if (at == NULL || PyUnicode_Resize(&text, at - start) < 0)
        Py_CLEAR(text);
    return text;
}

static PyMethodDef write_methods[] = {
    {"join_doubles", join_doubles, METH_VARARGS, join_doubles_doc},
    {NULL, NULL, 0, NULL},
};

int results_write_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, write_methods);
}

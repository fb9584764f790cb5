// SPDX-License-Identifier: MIT
// splice_doubles: the text of results files with millions of samples, their numbers in the form that json.dumps gives
// floats (perfcore/record/write.py). The GIL is held and no code of others runs, so that no list changes meanwhile.
#include "ext.h"

#include <math.h>
#include <string.h>

#include "record/results.h"
#include "record/pc_number_write.h"

static char *copy(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

// Write one float at `at`, where PC_DOUBLE_TEXT bytes are free. The end of the text, or NULL with an exception.
static char *write_double(char *at, double value)
{
    char *end = pc_double_write(at, value);
    if (PC_LIKELY(end != NULL))
        return end;
    if (!isfinite(value)) { // as json.dumps spells them
        const char *name = isnan(value) ? "NaN" : value > 0.0 ? "Infinity" : "-Infinity";
        return copy(at, name, strlen(name));
    }
    char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL)
        return NULL;
    end = copy(at, text, strlen(text)); // at most 24
    PyMem_Free(text);
    return end;
}

// What stands around the numbers of an array.
typedef struct layout {
    const char *text[3]; // before the first, between two, after the last
    size_t length[3];
} layout;

static char *write_array(char *at, PyObject *values, const layout *around)
{
    const Py_ssize_t count = PyList_GET_SIZE(values);
    at = copy(at, around->text[0], around->length[0]);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i > 0)
            at = copy(at, around->text[1], around->length[1]);
        at = write_double(at, PyFloat_AS_DOUBLE(PyList_GET_ITEM(values, i)));
        if (at == NULL)
            return NULL;
    }
    return copy(at, around->text[2], around->length[2]);
}

// Add up the most bytes that the text takes. 0; 1 where something else than floats is in an array; -1 with an
// exception.
static int measure(PyObject *pieces, PyObject *arrays, const layout *around, size_t *total)
{
    const Py_ssize_t count = PyList_GET_SIZE(arrays);
    size_t sum = 0;
    bool overflow = false;
    if (PyList_GET_SIZE(pieces) != count + 1) {
        PyErr_SetString(PyExc_ValueError, "there must be one piece of text more than arrays");
        return -1;
    }
    for (Py_ssize_t i = 0; i <= count; i++) {
        PyObject *piece = PyList_GET_ITEM(pieces, i);
        if (!PyUnicode_Check(piece) || !PyUnicode_IS_ASCII(piece)) {
            PyErr_SetString(PyExc_ValueError, "pieces must be ASCII text");
            return -1;
        }
        overflow |= __builtin_add_overflow(sum, (size_t)PyUnicode_GET_LENGTH(piece), &sum);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *array = PyList_GET_ITEM(arrays, i);
        if (!PyList_CheckExact(array))
            return 1;
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(array); j++) {
            if (!PyFloat_CheckExact(PyList_GET_ITEM(array, j)))
                return 1;
        }
        size_t bytes = (size_t)PyList_GET_SIZE(array);
        overflow |= __builtin_mul_overflow(bytes, PC_DOUBLE_TEXT + around->length[1], &bytes);
        overflow |= __builtin_add_overflow(bytes, around->length[0] + around->length[2], &bytes);
        overflow |= __builtin_add_overflow(sum, bytes, &sum);
    }
    if (overflow || sum > PY_SSIZE_T_MAX) {
        (void)PyErr_NoMemory();
        return -1;
    }
    *total = sum;
    return 0;
}

PyDoc_STRVAR(splice_doubles_doc,
             "splice_doubles($module, pieces, arrays, before, between, after, /)\n--\n\n"
             "ASCII pieces of text with an array of JSON numbers between each two: in one text, in one pass.\n\n"
             "pieces and arrays are lists, each array a list of floats; before, between and after stand around the\n"
             "numbers of an array. None where something else than floats is in an array.");

static PyObject *splice_doubles(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *pieces, *arrays, *words[3];
    if (!PyArg_ParseTuple(args, "O!O!UUU:splice_doubles", &PyList_Type, &pieces, &PyList_Type, &arrays, &words[0],
                          &words[1], &words[2]))
        return NULL;
    layout around;
    for (size_t i = 0; i < 3; i++) {
        if (!PyUnicode_IS_ASCII(words[i])) {
            PyErr_SetString(PyExc_ValueError, "before, between and after must be ASCII text");
            return NULL;
        }
        around.text[i] = (const char *)PyUnicode_1BYTE_DATA(words[i]);
        around.length[i] = (size_t)PyUnicode_GET_LENGTH(words[i]);
    }
    size_t total = 0;
    int status = measure(pieces, arrays, &around, &total);
    if (status != 0)
        return status < 0 ? NULL : Py_NewRef(Py_None);
    PyObject *text = PyUnicode_New((Py_ssize_t)total, 127); // what of it is never touched costs nothing
    if (text == NULL || total == 0)
        return text;
    char *const start = (char *)PyUnicode_1BYTE_DATA(text), *at = start;
    for (Py_ssize_t i = 0; at != NULL && i < PyList_GET_SIZE(pieces); i++) {
        PyObject *piece = PyList_GET_ITEM(pieces, i);
        at = copy(at, (const char *)PyUnicode_1BYTE_DATA(piece), (size_t)PyUnicode_GET_LENGTH(piece));
        if (i < PyList_GET_SIZE(arrays))
            at = write_array(at, PyList_GET_ITEM(arrays, i), &around);
    }
    if (at == NULL || PyUnicode_Resize(&text, at - start) < 0)
        Py_CLEAR(text);
    return text;
}

static PyMethodDef write_methods[] = {
    {"splice_doubles", splice_doubles, METH_VARARGS, splice_doubles_doc},
    {NULL, NULL, 0, NULL},
};

int results_write_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, write_methods);
}

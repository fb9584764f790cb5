// SPDX-License-Identifier: MIT
// A callable with its arguments laid out once for vectorcall (see round_loop.h).
#include "measure/round_loop.h"

// Make the tuple for the names, if there are any. Making it may collect garbage, whose end may change the dict: then
// once more, so that from here on tuple, slots and dict have one size.
static int make_keywords(call_target *target, PyObject *kwargs)
{
    Py_ssize_t count = 0;
    while (kwargs != NULL && PyDict_GET_SIZE(kwargs) != count) {
        count = PyDict_GET_SIZE(kwargs);
        Py_XSETREF(target->keywords, count > 0 ? PyTuple_New(count) : NULL);
        if (count > 0 && target->keywords == NULL)
            return -1;
    }
    return 0;
}

static int add_keywords(call_target *target, PyObject *kwargs)
{
    PyObject *key, *value;
    Py_ssize_t position = 0, index = 0;
    while (PyDict_Next(kwargs, &position, &key, &value)) {
        if (!PyUnicode_Check(key)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            return -1;
        }
        PyTuple_SET_ITEM(target->keywords, index, Py_NewRef(key));
        index++;
        target->total++;
        target->slots[target->total] = Py_NewRef(value);
    }
    return 0;
}

int call_target_init(call_target *target, PyObject *callable, size_t leading, PyObject *args, PyObject *kwargs)
{
    *target = (call_target){.callable = NULL};
    if (make_keywords(target, kwargs) < 0)
        return -1;
    size_t given = (size_t)PyTuple_GET_SIZE(args);
    size_t named = target->keywords != NULL ? (size_t)PyTuple_GET_SIZE(target->keywords) : 0;
    target->slots = PyMem_Calloc(1 + leading + given + named, sizeof *target->slots);
    if (target->slots == NULL) {
        Py_CLEAR(target->keywords);
        PyErr_NoMemory();
        return -1;
    }
    target->callable = Py_NewRef(callable);
    target->vectorcall = PyVectorcall_Function(callable);
    for (size_t i = 0; i < leading; i++)
        target->slots[1 + i] = Py_NewRef(Py_None);
    for (size_t i = 0; i < given; i++)
        target->slots[1 + leading + i] = Py_NewRef(PyTuple_GET_ITEM(args, (Py_ssize_t)i));
    target->positional = leading + given;
    target->total = target->positional;
    if (named > 0 && add_keywords(target, kwargs) < 0) {
        call_target_clear(target);
        return -1;
    }
    return 0;
}

void call_target_clear(call_target *target)
{
    PyObject **slots = target->slots;
    size_t total = target->total;
    target->slots = NULL; // first: a destructor may come back to us
    target->total = 0;
    if (slots != NULL) {
        for (size_t i = 1; i <= total; i++)
            Py_XDECREF(slots[i]);
        PyMem_Free(slots);
    }
    Py_CLEAR(target->keywords);
    Py_CLEAR(target->callable);
}

int call_target_traverse(const call_target *target, visitproc visit, void *arg)
{
    Py_VISIT(target->callable);
    Py_VISIT(target->keywords);
    if (target->slots != NULL) {
        for (size_t i = 1; i <= target->total; i++)
            Py_VISIT(target->slots[i]);
    }
    return 0;
}

// SPDX-License-Identifier: MIT
// find_levels and find_levels_of_each: the robust change points of judge/pc_levels.h for Python;
// perfcore/judge/changepoint.py names the fields.
#include "ext.h"

#include "base/pc_alloc.h"
#include "judge/doubles.h"
#include "judge/pc_levels.h"

// Read the options that follow the values. 0, or -1 with ValueError.
static int check_options(Py_ssize_t least, pc_levels_options *options)
{
    const double false_alarm = options->false_alarm;
    const char *wrong = least < 2                                       ? "min_length must be at least 2"
                        : !(false_alarm >= 0.005 && false_alarm <= 0.5) ? "false_alarm must be from 0.005 to 0.5"
                        : !(options->max_pvalue > 0.0 && options->max_pvalue <= 1.0)
                            ? "max_pvalue must be above 0 and at most 1"
                        : !(options->min_magnitude >= 0.0) ? "min_magnitude must be 0 or more"
                                                           : NULL;
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return -1;
    }
    options->min_length = (size_t)least;
    return 0;
}

// The changes of one series, as a list. NULL with an exception.
static PyObject *search(PyObject *module, PyObject *values, const pc_levels_options *options, pc_shuffle **kept)
{
    doubles held;
    if (doubles_get_finite(core_state_of_module(module), values, "values", &held) < 0)
        return NULL;
    pc_level_change *changes = NULL;
    size_t count = 0;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_levels_find(held.values, held.count, options, kept, &changes, &count);
    Py_END_ALLOW_THREADS
    doubles_release(&held);
    if (status < 0)
        return core_raise_errno(status);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const pc_level_change *c = &changes[i];
        PyObject *item = Py_BuildValue("(ndddd)", (Py_ssize_t)c->index, c->pvalue, c->before, c->after, c->magnitude);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    pc_free(changes);
    return list;
}

PyDoc_STRVAR(find_levels_doc, "find_levels($module, values, min_length, false_alarm, max_pvalue, min_magnitude,\n"
                              "            seed, /)\n--\n\n"
                              "Changes of level: a list of (index, p-value, median before, after, magnitude).");

static PyObject *find_levels(PyObject *module, PyObject *args)
{
    PyObject *values;
    Py_ssize_t least;
    pc_levels_options options;
    unsigned long long seed;
    if (!PyArg_ParseTuple(args, "OndddK:find_levels", &values, &least, &options.false_alarm, &options.max_pvalue,
                          &options.min_magnitude, &seed))
        return NULL;
    options.seed = seed;
    if (check_options(least, &options) < 0)
        return NULL;
    return search(module, values, &options, NULL);
}

PyDoc_STRVAR(find_levels_of_each_doc,
             "find_levels_of_each($module, series, min_length, false_alarm, max_pvalue,\n"
             "                    min_magnitude, seed, /)\n--\n\n"
             "A list of what find_levels() returns for each of a tuple, in less time where lengths repeat.");

static PyObject *find_levels_of_each(PyObject *module, PyObject *args)
{
    PyObject *series;
    Py_ssize_t least;
    pc_levels_options options;
    unsigned long long seed;
    if (!PyArg_ParseTuple(args, "O!ndddK:find_levels_of_each", &PyTuple_Type, &series, &least, &options.false_alarm,
                          &options.max_pvalue, &options.min_magnitude, &seed))
        return NULL;
    options.seed = seed;
    if (check_options(least, &options) < 0)
        return NULL;
    PyObject *lists = PyList_New(0); // grown, since other threads run meanwhile
    pc_shuffle *kept = NULL;
    for (Py_ssize_t i = 0; lists != NULL && i < PyTuple_GET_SIZE(series); i++) {
        PyObject *list = PyErr_CheckSignals() < 0 ? NULL : search(module, PyTuple_GET_ITEM(series, i), &options, &kept);
        if (list == NULL || PyList_Append(lists, list) < 0)
            Py_CLEAR(lists);
        Py_XDECREF(list);
    }
    pc_shuffle_free(kept);
    return lists;
}

static PyMethodDef levels_methods[] = {
    {"find_levels", find_levels, METH_VARARGS, find_levels_doc},
    {"find_levels_of_each", find_levels_of_each, METH_VARARGS, find_levels_of_each_doc},
    {NULL, NULL, 0, NULL},
};

int levels_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, levels_methods);
}

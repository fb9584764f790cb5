// SPDX-License-Identifier: MIT
// find_levels: the robust change points of judge/pc_levels.h for Python; perfcore/judge/changepoint.py names the
// fields.
#include "ext.h"

#include "base/pc_alloc.h"
#include "judge/doubles.h"
#include "judge/pc_levels.h"

PyDoc_STRVAR(find_levels_doc, "find_levels($module, values, min_length, false_alarm, max_pvalue, min_magnitude,\n"
                              "            seed, /)\n--\n\n"
                              "Changes of level: a list of (index, p-value, median before, after, magnitude).");

static PyObject *find_levels(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *object;
    Py_ssize_t least;
    double false_alarm, max_pvalue, min_magnitude;
    unsigned long long seed;
    if (!PyArg_ParseTuple(args, "OndddK:find_levels", &object, &least, &false_alarm, &max_pvalue, &min_magnitude,
                          &seed))
        return NULL;
    const char *wrong = least < 2                                       ? "min_length must be at least 2"
                        : !(false_alarm >= 0.005 && false_alarm <= 0.5) ? "false_alarm must be from 0.005 to 0.5"
                        : !(max_pvalue > 0.0 && max_pvalue <= 1.0)      ? "max_pvalue must be above 0 and at most 1"
                        : !(min_magnitude >= 0.0)                       ? "min_magnitude must be 0 or more"
                                                                        : NULL;
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    Py_buffer view;
    if (doubles_get_finite(object, "values", &view) < 0)
        return NULL;
    const pc_levels_options options = {.min_length = (size_t)least,
                                       .false_alarm = false_alarm,
                                       .max_pvalue = max_pvalue,
                                       .min_magnitude = min_magnitude,
                                       .seed = seed};
    pc_level_change *changes = NULL;
    size_t count = 0;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_levels_find(view.buf, doubles_count(&view), &options, &changes, &count);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
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

static PyMethodDef levels_methods[] = {
    {"find_levels", find_levels, METH_VARARGS, find_levels_doc},
    {NULL, NULL, 0, NULL},
};

int levels_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, levels_methods);
}

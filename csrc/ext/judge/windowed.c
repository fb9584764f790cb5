// SPDX-License-Identifier: MIT
// WindowedSeries: a series that keeps what it knows of its change points, so that searching again after an append is
// cheap (judge/pc_windowed.h). The fields of a change are named in perfcore/judge/changepoint.py.
// Thread contract: the GIL is released in find(); `busy` keeps other threads out of the series meanwhile.
#include "ext.h"

#include <math.h>

#include "base/pc_alloc.h"
#include "judge/doubles.h"
#include "judge/pc_windowed.h"

typedef struct windowed {
    PyObject_HEAD
    pc_windowed *series;
    bool busy;
} windowed;

static PyObject *windowed_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"window", "max_pvalue", "min_magnitude", NULL};
    Py_ssize_t window = 50;
    double max_pvalue = 0.001, min_magnitude = 0.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ndd:WindowedSeries", names, &window, &max_pvalue, &min_magnitude))
        return NULL;
    if (window < PC_WINDOWED_LEAST || window > PC_WINDOWED_MOST)
        return PyErr_Format(PyExc_ValueError, "window must be from %d to %d points, not %zd", PC_WINDOWED_LEAST,
                            PC_WINDOWED_MOST, window);
    if (!(max_pvalue > 0.0 && max_pvalue <= 1.0)) {
        PyErr_SetString(PyExc_ValueError, "max_pvalue must be above 0 and at most 1");
        return NULL;
    }
    if (!(min_magnitude >= 0.0)) {
        PyErr_SetString(PyExc_ValueError, "min_magnitude must be 0 or more");
        return NULL;
    }
    windowed *self = (windowed *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    const pc_windowed_options options = {
        .window = (size_t)window, .max_pvalue = max_pvalue, .min_magnitude = min_magnitude};
    const int status = pc_windowed_make(&options, &self->series);
    if (status < 0) {
        Py_DECREF(self);
        return core_raise_errno(status);
    }
    return (PyObject *)self;
}

static void windowed_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    pc_windowed_free(((windowed *)object)->series);
    type->tp_free(object);
    Py_DECREF(type);
}

// 0 when no other thread is at work on the series, else -1 with an exception.
static int check_idle(const windowed *self)
{
    if (!self->busy)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "another thread is searching this series; use one series for each thread");
    return -1;
}

PyDoc_STRVAR(windowed_append_doc, "append($self, values, /)\n--\n\n"
                                  "Add values, a buffer of doubles, at the end of the series.");

static PyObject *windowed_append(windowed *self, PyObject *object)
{
    doubles held;
    if (doubles_get(core_state_of_type(Py_TYPE(self)), object, "values", &held) < 0)
        return NULL;
    if (check_idle(self) < 0) { // only now: to fetch the values may run any code
        doubles_release(&held);
        return NULL;
    }
    const int status = pc_windowed_append(self->series, held.values, held.count);
    size_t index = 0;
    while ((status == -EDOM || status == -ERANGE) && fabs(held.values[index]) <= 1e150)
        index++;
    doubles_release(&held);
    if (status == -EDOM)
        PyErr_Format(PyExc_ValueError, "values must be finite, and number %zu is not; leave gaps out", index);
    else if (status == -ERANGE)
        PyErr_Format(PyExc_ValueError, "values must be within 1e150, and number %zu is not; use another unit", index);
    else if (status < 0)
        (void)core_raise_errno(status);
    else
        Py_RETURN_NONE;
    return NULL;
}

static PyObject *changes_to_list(const pc_change *changes, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const pc_change *c = &changes[i];
        PyObject *item = Py_BuildValue("(ndddddd)", (Py_ssize_t)c->index, c->pvalue, c->mean_before, c->mean_after,
                                       c->stddev_before, c->stddev_after, c->magnitude);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyDoc_STRVAR(windowed_find_doc, "find($self, /)\n--\n\n"
                                "Return the change points: a list of (index, p-value, mean before, mean after,\n"
                                "standard deviation before and after, magnitude).");

static PyObject *windowed_find(windowed *self, PyObject *Py_UNUSED(ignored))
{
    if (check_idle(self) < 0)
        return NULL;
    pc_change *changes = NULL;
    size_t count = 0;
    int status;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    status = pc_windowed_find(self->series, &changes, &count);
    Py_END_ALLOW_THREADS
    self->busy = false;
    if (status < 0)
        return core_raise_errno(status);
    PyObject *list = changes_to_list(changes, count);
    pc_free(changes);
    return list;
}

static Py_ssize_t windowed_length(windowed *self)
{
    return check_idle(self) < 0 ? -1 : (Py_ssize_t)pc_windowed_length(self->series);
}

static PyMethodDef windowed_methods[] = {
    {"append", (PyCFunction)windowed_append, METH_O, windowed_append_doc},
    {"find", (PyCFunction)windowed_find, METH_NOARGS, windowed_find_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(windowed_doc, "WindowedSeries(window=50, max_pvalue=0.001, min_magnitude=0.0)\n--\n\n"
                           "A series searched for change points by windowed E-divisive means.");

static PyType_Slot windowed_slots[] = {
    {Py_tp_doc, (char *)windowed_doc}, {Py_tp_new, windowed_new},       {Py_tp_dealloc, windowed_dealloc},
    {Py_tp_methods, windowed_methods}, {Py_sq_length, windowed_length}, {0, NULL},
};

static PyType_Spec windowed_spec = {
    .name = "perfcore._core.WindowedSeries",
    .basicsize = sizeof(windowed),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = windowed_slots,
};

int windowed_setup(PyObject *module)
{
    return core_add_type(module, &windowed_spec, &core_state_of_module(module)->windowed_type);
}

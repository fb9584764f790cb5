// SPDX-License-Identifier: MIT
// PriorityRing: a Ring whose items lie in a heap. Only what puts differs; the rest is inherited, garbage collection
// too.
#include "workload/ring.h"

#include <math.h>

#include "workload/arguments.h"

static int parse_priority(PyObject *value, double *priority)
{
    *priority = value == NULL ? 0.0 : PyFloat_AsDouble(value);
    if (*priority == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(*priority)) {
        PyErr_SetString(PyExc_ValueError, "priority is nan, which has no place in an order; give a number");
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(priority_ring_put_doc,
             "put($self, item, block=True, timeout=None, priority=0.0)\n--\n\n"
             "Put an item with a priority (a number; the least is got first), waiting for a free slot.\n\n"
             "Raises queue.Full, or Closed on a closed ring.");

static PyObject *priority_ring_method_put(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"item", "block", "timeout", "priority", NULL};
    static const arguments_spec spec = {"put", names, 1, 4};
    PyObject *values[4];
    ring_deadline deadline;
    double priority;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 || parse_priority(values[3], &priority) < 0 ||
        ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return ring_put_outcome(self, ring_put(self, values[0], priority, deadline));
}

PyDoc_STRVAR(priority_ring_put_nowait_doc, "put_nowait($self, item, priority=0.0)\n--\n\n"
                                           "Put an item with a priority, or raise queue.Full.");

static PyObject *priority_ring_put_nowait(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"item", "priority", NULL};
    static const arguments_spec spec = {"put_nowait", names, 1, 2};
    PyObject *values[2];
    double priority;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 || parse_priority(values[1], &priority) < 0)
        return NULL;
    return ring_put_outcome(self, ring_put(self, values[0], priority, RING_NOT_AT_ALL));
}

PyDoc_STRVAR(priority_ring_put_many_doc, "put_many($self, items, block=True, timeout=None, priority=0.0)\n--\n\n"
                                         "Put items of one priority and return how many went in; see Ring.put_many.");

static PyObject *priority_ring_put_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"items", "block", "timeout", "priority", NULL};
    static const arguments_spec spec = {"put_many", names, 1, 4};
    PyObject *values[4];
    ring_deadline deadline;
    double priority;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 || parse_priority(values[3], &priority) < 0 ||
        ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return ring_put_items(self, values[0], priority, deadline);
}

PyDoc_STRVAR(priority_ring_aput_doc, "aput($self, item, priority=0.0)\n--\n\n"
                                     "Put an item with a priority, letting the event loop run while the ring is full.");

static PyObject *priority_ring_aput(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"item", "priority", NULL};
    static const arguments_spec spec = {"aput", names, 1, 2};
    PyObject *values[2];
    double priority;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 || parse_priority(values[1], &priority) < 0)
        return NULL;
    return ring_aput_priority(self, values[0], priority);
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef priority_ring_methods[] = {
    {"put", FAST(priority_ring_method_put), priority_ring_put_doc},
    {"put_nowait", FAST(priority_ring_put_nowait), priority_ring_put_nowait_doc},
    {"put_many", FAST(priority_ring_put_many), priority_ring_put_many_doc},
    {"aput", FAST(priority_ring_aput), priority_ring_aput_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(priority_ring_doc, "PriorityRing(maxsize=0)\n--\n\n"
                                "A queue for any number of threads: the least priority first, equal ones in order.");

static PyType_Slot priority_ring_slots[] = {
    {Py_tp_doc, (void *)priority_ring_doc},
    {Py_tp_methods, priority_ring_methods},
    {0, NULL},
};

static PyType_Spec priority_ring_spec = {
    .name = "perfcore._core.PriorityRing",
    .basicsize = sizeof(ring_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = priority_ring_slots,
};

int priority_ring_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    PyObject *type = PyType_FromModuleAndSpec(module, &priority_ring_spec, (PyObject *)state->ring_type);
    if (type == NULL)
        return -1;
    state->priority_ring_type = (PyTypeObject *)type;
    return PyModule_AddType(module, state->priority_ring_type);
}

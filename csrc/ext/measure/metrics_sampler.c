// SPDX-License-Identifier: MIT
// MetricsSampler: the sampling thread of the core as a Python object. Holds no Python objects. The sampler's single
// owner is whoever is inside start or stop: both release the GIL, so a flag keeps a second thread out.
#include "ext.h"
#include "measure/pc_sampler.h"
#include "measure/samples.h"

typedef struct sampler_object {
    PyObject_HEAD
    pc_sampler *sampler;
    bool busy; // a thread is inside start or stop
} sampler_object;

static PyObject *sampler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"pid", "tree", "interval", "slots", "root", NULL};
    int pid = 0, tree = 0, root = 1;
    double interval = 0.01;
    Py_ssize_t slots = 2048;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i$pdnp:MetricsSampler", names, &pid, &tree, &interval, &slots,
                                     &root))
        return NULL;
    if (pid < 0) {
        PyErr_Format(PyExc_ValueError, "pid must be positive, or 0 for this process, got %d", pid);
        return NULL;
    }
    if (!(interval >= 0.001 && interval <= 10.0)) {
        PyErr_SetString(PyExc_ValueError, "interval must be 0.001 to 10 seconds");
        return NULL;
    }
    if (slots < 2 || slots > (Py_ssize_t)1 << 20) {
        PyErr_Format(PyExc_ValueError, "slots must be 2 to 1048576, got %zd", slots);
        return NULL;
    }
    if (!root && !tree) {
        PyErr_SetString(PyExc_ValueError, "without its root, only a tree can be sampled: give tree=True");
        return NULL;
    }
    sampler_object *self = (sampler_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    const pc_sampler_options options = {.pid = pid,
                                        .tree = tree != 0,
                                        .rootless = root == 0,
                                        .interval_ns = (int64_t)(interval * 1e9 + 0.5),
                                        .capacity = (size_t)slots};
    int status = pc_sampler_create(&options, &self->sampler);
    if (status < 0) {
        Py_DECREF(self);
        return core_raise_errno(status);
    }
    return (PyObject *)self;
}

static void sampler_dealloc(sampler_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_BEGIN_ALLOW_THREADS
    pc_sampler_destroy(self->sampler);
    Py_END_ALLOW_THREADS
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *drive(sampler_object *self, int (*step)(pc_sampler *))
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is starting or stopping this sampler");
        return NULL;
    }
    int status;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    status = step(self->sampler);
    Py_END_ALLOW_THREADS
    self->busy = false;
    if (status < 0)
        return core_raise_errno(status);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_start_doc,
             "start($self, /)\n--\n\n"
             "Forget what was sampled, and run; returns after the first sample. OSError: EALREADY\n"
             "if it runs, ECHILD in a forked child, ProcessLookupError if there is no such process.");

static PyObject *sampler_start(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    return drive(self, pc_sampler_start);
}

PyDoc_STRVAR(sampler_stop_doc, "stop($self, /)\n--\n\n"
                               "Take a last sample and stop. Nothing happens if it does not run.");

static PyObject *sampler_stop(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    return drive(self, pc_sampler_stop);
}

PyDoc_STRVAR(sampler_look_doc, "look($self, /)\n--\n\n"
                               "Return (samples, missed, seconds, ended).");

static PyObject *sampler_look(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_sampler_info info;
    int status = pc_sampler_look(self->sampler, &info);
    if (status < 0)
        return core_raise_errno(status);
    return Py_BuildValue("(KKdN)", (unsigned long long)info.samples, (unsigned long long)info.missed,
                         (double)info.duration_ns / 1e9, PyBool_FromLong(info.ended));
}

PyDoc_STRVAR(sampler_aggregates_doc, "aggregates($self, /)\n--\n\n"
                                     "Return {metric: (count, mean, min, max, p95, p99)} of the metrics that were\n"
                                     "there.");

static PyObject *sampler_aggregates(sampler_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS];
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_sampler_aggregates(self->sampler, aggregates);
    Py_END_ALLOW_THREADS
    if (status < 0)
        return core_raise_errno(status);
    PyObject *result = PyDict_New();
    for (int i = 0; result != NULL && i < PC_SAMPLER_COLUMNS; i++) {
        const pc_sampler_aggregate *one = &aggregates[i];
        if (one->count == 0)
            continue;
        PyObject *value = Py_BuildValue("(Kddddd)", (unsigned long long)one->count, one->mean, one->min, one->max,
                                        one->p95, one->p99);
        if (value == NULL || PyDict_SetItemString(result, pc_sampler_column_name((pc_sampler_column)i), value) < 0)
            Py_CLEAR(result);
        Py_XDECREF(value);
    }
    return result;
}

PyDoc_STRVAR(sampler_series_doc, "series($self, metric, /)\n--\n\n"
                                 "Return (times, least, mean, greatest) of a metric, each a Samples: seconds since\n"
                                 "the start, and the values of each slot (NaN where absent). KeyError for no metric.");

static PyObject *sampler_series(sampler_object *self, PyObject *name)
{
    int column = 0;
    if (!PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "the name of a metric is a str");
        return NULL;
    }
    while (column < PC_SAMPLER_COLUMNS &&
           PyUnicode_CompareWithASCIIString(name, pc_sampler_column_name((pc_sampler_column)column)) != 0)
        column++;
    if (column == PC_SAMPLER_COLUMNS) {
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    core_state *state = core_state_of_type(Py_TYPE(self));
    PyObject *result = PyTuple_New(4);
    samples_object *parts[4];
    for (Py_ssize_t i = 0; result != NULL && i < 4; i++) {
        parts[i] = samples_create(state);
        if (parts[i] == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, (PyObject *)parts[i]);
    }
    if (result == NULL)
        return NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_sampler_read(self->sampler, (pc_sampler_column)column, &parts[0]->values, &parts[1]->values,
                             &parts[2]->values, &parts[3]->values);
    Py_END_ALLOW_THREADS
    if (status < 0) {
        Py_DECREF(result);
        return core_raise_errno(status);
    }
    return result;
}

static PyMethodDef sampler_methods[] = {
    {"start", (PyCFunction)sampler_start, METH_NOARGS, sampler_start_doc},
    {"stop", (PyCFunction)sampler_stop, METH_NOARGS, sampler_stop_doc},
    {"look", (PyCFunction)sampler_look, METH_NOARGS, sampler_look_doc},
    {"aggregates", (PyCFunction)sampler_aggregates, METH_NOARGS, sampler_aggregates_doc},
    {"series", (PyCFunction)sampler_series, METH_O, sampler_series_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(sampler_doc, "MetricsSampler(pid=0, *, tree=False, interval=0.01, slots=2048, root=True)\n--\n\n"
                          "Samples the metrics of a process (0: this one), with tree of its descendants too, from a\n"
                          "thread that needs no GIL, into a series of at most `slots` slots.");

static PyType_Slot sampler_slots[] = {
    {Py_tp_doc, (void *)sampler_doc},
    {Py_tp_new, sampler_new},
    {Py_tp_dealloc, sampler_dealloc},
    {Py_tp_methods, sampler_methods},
    {0, NULL},
};

static PyType_Spec sampler_spec = {
    .name = "perfcore._core.MetricsSampler",
    .basicsize = sizeof(sampler_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = sampler_slots,
};

static const char *name_of(int column)
{
    return pc_sampler_column_name((pc_sampler_column)column);
}

int metrics_sampler_setup(PyObject *module)
{
    if (core_add_type(module, &sampler_spec, &core_state_of_module(module)->metrics_sampler_type) < 0)
        return -1;
    return core_add_names(module, "SAMPLED_METRICS", PC_SAMPLER_COLUMNS, name_of);
}

// SPDX-License-Identifier: MIT
// Process: a reader of one process's metrics with kept descriptors; ProcessMetrics: what it read, as a named tuple in
// which None stands for what the kernel did not give. Holds no Python objects. A read takes microseconds, under the
// GIL, which makes the thread that has it the reader's single owner.
#include <errno.h>
#include <sys/prctl.h>

#include "ext.h"
#include "measure/pc_proclist.h"
#include "measure/pc_process.h"

typedef struct process_object {
    PyObject_HEAD
    pc_process reader;
    bool open;
} process_object;

// What costs least of this process: what lives neither in status and stat nor has to be added up.
static const uint32_t quick_metrics =
    PC_METRIC_ALL & ~(PC_METRIC_BIT(PC_METRIC_PEAK_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_SWAP_BYTES) |
                      PC_METRIC_BIT(PC_METRIC_START_NS) | PC_METRIC_COSTLY);

static int parse_pid(PyObject *argument, pid_t *pid)
{
    *pid = 0;
    if (argument == NULL || argument == Py_None)
        return 0;
    long value = PyLong_AsLong(argument);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value <= 0 || value > INT_MAX) {
        PyErr_Format(PyExc_ValueError, "a pid is a positive integer, got %ld", value);
        return -1;
    }
    *pid = (pid_t)value;
    return 0;
}

static PyObject *process_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"pid", NULL};
    PyObject *argument = NULL;
    pid_t pid;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Process", names, &argument) || parse_pid(argument, &pid) < 0)
        return NULL;
    process_object *self = (process_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    int status = pc_process_open(&self->reader, "/proc", pid, false);
    if (status < 0) {
        Py_DECREF(self);
        return core_raise_errno(status);
    }
    self->open = true;
    return (PyObject *)self;
}

static void process_dealloc(process_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->open)
        pc_process_close(&self->reader);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int read_metrics(process_object *self, uint32_t wanted, pc_process_metrics *metrics)
{
    if (!self->open) {
        PyErr_SetString(PyExc_ValueError, "this Process is closed; make another one");
        return -1;
    }
    int status = pc_process_read(&self->reader, wanted, metrics);
    if (status < 0) {
        (void)core_raise_errno(status);
        return -1;
    }
    return 0;
}

static PyObject *metric_object(const pc_process_metrics *metrics, pc_metric metric)
{
    if (metrics->present & PC_METRIC_BIT(metric))
        return PyLong_FromUnsignedLongLong(metrics->values[metric]);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(process_read_doc,
             "read($self, /, *, quick=False, full=False)\n--\n\n"
             "Return a ProcessMetrics. With quick, peak, swap and start are left out: the rest of this process\n"
             "costs about 2 us. With full, the wait for a processor and the shares of memory are read too, which\n"
             "takes up to milliseconds.\n"
             "ProcessLookupError once the process has ended.");

static PyObject *process_read(process_object *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    int quick = 0, full = 0;
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    bool known = count == 0;
    for (Py_ssize_t i = 0; known && i < named; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int *flag = PyUnicode_CompareWithASCIIString(name, "quick") == 0  ? &quick
                    : PyUnicode_CompareWithASCIIString(name, "full") == 0 ? &full
                                                                          : NULL;
        known = flag != NULL;
        if (known && (*flag = PyObject_IsTrue(args[i])) < 0)
            return NULL;
    }
    if (!known) {
        PyErr_SetString(PyExc_TypeError, "read() takes the keyword arguments quick and full alone");
        return NULL;
    }
    uint32_t wanted = (quick ? quick_metrics : PC_METRIC_ALL & ~PC_METRIC_COSTLY) | (full ? PC_METRIC_COSTLY : 0);
    pc_process_metrics metrics;
    if (read_metrics(self, wanted, &metrics) < 0)
        return NULL;
    PyObject *result = PyStructSequence_New(core_state_of_type(Py_TYPE(self))->process_metrics_type);
    if (result == NULL)
        return NULL;
    for (int i = 0; i < PC_METRIC_COUNT; i++) {
        PyObject *value = metric_object(&metrics, (pc_metric)i);
        if (value == NULL) {
            Py_DECREF(result);
            return NULL;
        }
        PyStructSequence_SET_ITEM(result, i, value);
    }
    return result;
}

static PyObject *read_one(process_object *self, pc_metric metric)
{
    pc_process_metrics metrics;
    if (read_metrics(self, PC_METRIC_BIT(metric), &metrics) < 0)
        return NULL;
    return metric_object(&metrics, metric);
}

PyDoc_STRVAR(process_rss_doc, "rss($self, /)\n--\n\n"
                              "Return the resident memory in bytes, or None.");

static PyObject *process_rss(process_object *self, PyObject *Py_UNUSED(ignored))
{
    return read_one(self, PC_METRIC_RSS_BYTES);
}

PyDoc_STRVAR(process_peak_doc, "peak($self, /)\n--\n\n"
                               "Return the greatest resident memory since the process began or reset_peak, in bytes,\n"
                               "or None.");

static PyObject *process_peak(process_object *self, PyObject *Py_UNUSED(ignored))
{
    return read_one(self, PC_METRIC_PEAK_RSS_BYTES);
}

PyDoc_STRVAR(process_reset_peak_doc,
             "reset_peak($self, /)\n--\n\n"
             "Make the peak of this process begin again at what is resident now. OSError where\n"
             "the kernel does not allow it, and for another process.");

static PyObject *process_reset_peak(process_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->open) {
        PyErr_SetString(PyExc_ValueError, "this Process is closed; make another one");
        return NULL;
    }
    int status = pc_process_reset_peak(&self->reader);
    if (status < 0)
        return core_raise_errno(status);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(process_close_doc, "close($self, /)\n--\n\n"
                                "Close the files; allowed twice.");

static PyObject *process_close(process_object *self, PyObject *Py_UNUSED(ignored))
{
    if (self->open)
        pc_process_close(&self->reader);
    self->open = false;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(process_tree_doc, "process_tree($module, pid, /)\n--\n\n"
                               "Return the pids of all descendants of a process, in ascending order.");

static PyObject *process_tree(PyObject *Py_UNUSED(module), PyObject *argument)
{
    pid_t root;
    if (parse_pid(argument, &root) < 0)
        return NULL;
    if (root == 0)
        root = getpid();
    pc_proclist list = {0};
    size_t found = 0;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_proclist_read(&list);
    if (status == 0)
        status = pc_proclist_descendants(&list, &root, 1, &found);
    Py_END_ALLOW_THREADS
    PyObject *pids = status < 0 ? core_raise_errno(status) : PyList_New((Py_ssize_t)found);
    for (size_t i = 0; pids != NULL && i < found; i++) {
        PyObject *pid = PyLong_FromLong(list.entries[i].pid);
        if (pid == NULL)
            Py_CLEAR(pids);
        else
            PyList_SET_ITEM(pids, (Py_ssize_t)i, pid);
    }
    pc_proclist_clear(&list);
    return pids;
}

PyDoc_STRVAR(set_child_subreaper_doc,
             "set_child_subreaper($module, on, /)\n--\n\n"
             "Have the orphans among this process's descendants become its children, or no longer.");

static PyObject *set_child_subreaper(PyObject *Py_UNUSED(module), PyObject *argument)
{
    int on = PyObject_IsTrue(argument);
    if (on < 0)
        return NULL;
    if (prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)on, 0UL, 0UL, 0UL) < 0)
        return core_raise_errno(-errno);
    Py_RETURN_NONE;
}

static PyMethodDef process_methods[] = {
    {"read", (PyCFunction)(void (*)(void))process_read, METH_FASTCALL | METH_KEYWORDS, process_read_doc},
    {"rss", (PyCFunction)process_rss, METH_NOARGS, process_rss_doc},
    {"peak", (PyCFunction)process_peak, METH_NOARGS, process_peak_doc},
    {"reset_peak", (PyCFunction)process_reset_peak, METH_NOARGS, process_reset_peak_doc},
    {"close", (PyCFunction)process_close, METH_NOARGS, process_close_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(process_doc, "Process(pid=None)\n--\n\n"
                          "A reader of the metrics of one process, with kept descriptors; None is the process that\n"
                          "reads, also in a forked child. ProcessLookupError if there is no such process.");

static PyType_Slot process_slots[] = {
    {Py_tp_doc, (void *)process_doc},
    {Py_tp_new, process_new},
    {Py_tp_dealloc, process_dealloc},
    {Py_tp_methods, process_methods},
    {0, NULL},
};

static PyType_Spec process_spec = {
    .name = "perfcore._core.Process",
    .basicsize = sizeof(process_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = process_slots,
};

static PyMethodDef process_functions[] = {
    {"process_tree", process_tree, METH_O, process_tree_doc},
    {"set_child_subreaper", set_child_subreaper, METH_O, set_child_subreaper_doc},
    {NULL, NULL, 0, NULL},
};

int process_setup(PyObject *module)
{
    PyStructSequence_Field fields[PC_METRIC_COUNT + 1] = {{0}};
    for (int i = 0; i < PC_METRIC_COUNT; i++)
        fields[i] = (PyStructSequence_Field){pc_metric_name((pc_metric)i), pc_metric_meaning((pc_metric)i)};
    PyStructSequence_Desc description = {
        .name = "perfcore._core.ProcessMetrics",
        .doc = "The metrics of a process: a named tuple of int, or None where the kernel does not say.",
        .fields = fields,
        .n_in_sequence = PC_METRIC_COUNT,
    };
    core_state *state = core_state_of_module(module);
    state->process_metrics_type = PyStructSequence_NewType(&description);
    if (state->process_metrics_type == NULL || PyModule_AddType(module, state->process_metrics_type) < 0)
        return -1;
    if (core_add_type(module, &process_spec, &state->process_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, process_functions);
}

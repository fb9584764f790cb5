// SPDX-License-Identifier: MIT
// EventCounter: a counter of the thread that makes it, as a Python object. Holds no Python objects.
#include "ext.h"
#include "measure/pc_counters.h"

typedef struct counter_object {
    PyObject_HEAD
    pc_counter counter;
    unsigned long thread; // that is counted: the kernel's number, which no other thread or forked child has
} counter_object;

static PyObject *counter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"event", NULL};
    const char *event = "instructions";
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s:EventCounter", names, &event))
        return NULL;
    bool instructions = strcmp(event, "instructions") == 0;
    if (!instructions && strcmp(event, "task-clock") != 0) {
        PyErr_Format(PyExc_ValueError, "an event is 'instructions' or 'task-clock', not '%s'", event);
        return NULL;
    }
    counter_object *self = (counter_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->counter.file = -1;
    self->thread = PyThread_get_thread_native_id();
    int status = pc_counter_open(&self->counter, instructions ? PC_COUNTER_INSTRUCTIONS : PC_COUNTER_TASK_CLOCK);
    if (status < 0) {
        Py_DECREF(self);
        return core_raise_errno(status);
    }
    return (PyObject *)self;
}

static void counter_dealloc(counter_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pc_counter_close(&self->counter);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static bool is_owner(const counter_object *self)
{
    if (self->thread == PyThread_get_thread_native_id())
        return true;
    PyErr_SetString(PyExc_RuntimeError, "an EventCounter counts the thread that made it; make one in this thread");
    return false;
}

PyDoc_STRVAR(counter_start_doc, "start($self, /)\n--\n\n"
                                "Begin at zero. OSError if it is closed.");

static PyObject *counter_start(counter_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!is_owner(self))
        return NULL;
    int status = pc_counter_start(&self->counter);
    if (status < 0)
        return core_raise_errno(status);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(counter_stop_doc, "stop($self, /)\n--\n\n"
                               "Return what was counted since start(), or None where others used the processor's\n"
                               "counters for a part of the time.");

static PyObject *counter_stop(counter_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!is_owner(self))
        return NULL;
    uint64_t count;
    int status = pc_counter_stop(&self->counter, &count);
    if (status == -EAGAIN)
        Py_RETURN_NONE;
    if (status < 0)
        return core_raise_errno(status);
    return PyLong_FromUnsignedLongLong(count);
}

PyDoc_STRVAR(counter_close_doc, "close($self, /)\n--\n\n"
                                "Close it; allowed twice.");

static PyObject *counter_close(counter_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_counter_close(&self->counter);
    Py_RETURN_NONE;
}

static PyMethodDef counter_methods[] = {
    {"start", (PyCFunction)counter_start, METH_NOARGS, counter_start_doc},
    {"stop", (PyCFunction)counter_stop, METH_NOARGS, counter_stop_doc},
    {"close", (PyCFunction)counter_close, METH_NOARGS, counter_close_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(counter_doc, "EventCounter(event='instructions')\n--\n\n"
                          "A counter of the calling thread's instructions in user mode, or of its running time in ns\n"
                          "('task-clock'). OSError where the kernel or the processor does not offer it.");

static PyType_Slot counter_slots[] = {
    {Py_tp_doc, (void *)counter_doc},
    {Py_tp_new, counter_new},
    {Py_tp_dealloc, counter_dealloc},
    {Py_tp_methods, counter_methods},
    {0, NULL},
};

static PyType_Spec counter_spec = {
    .name = "perfcore._core.EventCounter",
    .basicsize = sizeof(counter_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = counter_slots,
};

int counters_setup(PyObject *module)
{
    return core_add_type(module, &counter_spec, &core_state_of_module(module)->event_counter_type);
}

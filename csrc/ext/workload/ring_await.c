// SPDX-License-Identifier: MIT
// What aget(), aget_many() and aput() return: a coroutine in C for an operation that mostly need not wait. It does the
// operation when it is awaited; only where that cannot be done at once is the coroutine in Python made that waits
// (Ring._aget_later and its like), and everything is handed through to it. With data ready this spares the frame of a
// Python coroutine, a call and an exception. (Where a value is returned, 3.12 does better with a Python coroutine: see
// perfcore.messaging.)
//
// Invariants: `later` is set from the moment it must wait until it ends. An operation is done once, by whoever awaits
// first. Contract: the GIL is held.
#include "workload/ring.h"

#include "workload/arguments.h"

typedef enum { AWAIT_GET, AWAIT_GET_MANY, AWAIT_PUT } await_kind;

typedef struct await_object {
    PyObject_HEAD
    ring_object *ring;
    PyObject *item; // to be put, or NULL
    double priority;
    PyObject *limit; // of AWAIT_GET_MANY: what was given, or NULL
    PyObject *later;
    await_kind kind;
    bool begun;
} await_object;

static PyObject *make(ring_object *ring, await_kind kind, PyObject *item, double priority, PyObject *limit)
{
    await_object *self = PyObject_GC_New(await_object, core_state_of_type(Py_TYPE(ring))->ring_await_type);
    if (self == NULL)
        return NULL;
    self->ring = (ring_object *)Py_NewRef(ring);
    self->item = Py_XNewRef(item);
    self->priority = priority;
    self->limit = Py_XNewRef(limit);
    self->later = NULL;
    self->kind = kind;
    self->begun = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

// --- the coroutine ---

static PyObject *make_later(await_object *self)
{
    PyObject *ring = (PyObject *)self->ring;
    switch (self->kind) {
    case AWAIT_GET:
        return PyObject_CallMethod(ring, "_aget_later", NULL);
    case AWAIT_GET_MANY:
        return PyObject_CallMethod(ring, "_aget_many_later", "O", self->limit != NULL ? self->limit : Py_None);
    case AWAIT_PUT:
        break;
    }
    if (self->ring->sorted)
        return PyObject_CallMethod(ring, "_aput_later", "Od", self->item, self->priority);
    return PyObject_CallMethod(ring, "_aput_later", "O", self->item);
}

// Do it now. NULL with *outcome RING_NOT_NOW, or with RING_ERROR and an exception.
static PyObject *try_now(await_object *self, ring_outcome *outcome)
{
    PyObject *result = NULL;
    if (self->kind == AWAIT_PUT) {
        *outcome = ring_put(self->ring, self->item, self->priority, RING_NOT_AT_ALL);
        if (PC_LIKELY(*outcome == RING_DONE))
            return Py_NewRef(Py_None);
    } else if (self->kind == AWAIT_GET) {
        *outcome = ring_get(self->ring, RING_NOT_AT_ALL, &result);
        if (PC_LIKELY(*outcome == RING_DONE))
            return result;
    } else if (ring_length(self->ring) > 0 || self->ring->closed) {
        size_t limit;
        if (arguments_size(self->limit, "max_items", &limit) == 0)
            result = ring_get_items(self->ring, limit, RING_NOT_AT_ALL);
        *outcome = RING_ERROR;
        return result;
    } else {
        *outcome = RING_NOT_NOW;
    }
    if (*outcome == RING_CLOSED) {
        (void)ring_raise_closed(core_state_of_type(Py_TYPE(self->ring)));
        *outcome = RING_ERROR;
    }
    return NULL;
}

static PySendResult await_send(await_object *self, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (self->later == NULL) {
        ring_outcome outcome;
        if (self->begun) {
            PyErr_SetString(PyExc_RuntimeError, "this operation of a ring was awaited already");
            return PYGEN_ERROR;
        }
        self->begun = true;
        *result = try_now(self, &outcome);
        if (PC_LIKELY(*result != NULL))
            return PYGEN_RETURN;
        if (outcome != RING_NOT_NOW || (self->later = make_later(self)) == NULL)
            return PYGEN_ERROR;
        value = Py_None; // it has just begun
    }
    PyObject *later = Py_NewRef(self->later);
    PySendResult sent = PyIter_Send(later, value, result);
    if (sent != PYGEN_NEXT)
        Py_CLEAR(self->later);
    Py_DECREF(later);
    return sent;
}

// What was returned, as an iterator says it: StopIteration, or nothing for None.
static PyObject *stop(PyObject *value)
{
    if (value != Py_None) {
        PyObject *exception = PyObject_CallOneArg(PyExc_StopIteration, value); // a tuple stays one argument
#if PY_VERSION_HEX >= 0x030C0000
        if (exception != NULL)
            PyErr_SetRaisedException(exception); // steals it, and looks for no context
#else
        if (exception != NULL)
            PyErr_SetObject(PyExc_StopIteration, exception);
        Py_XDECREF(exception);
#endif
    }
    Py_DECREF(value);
    return NULL;
}

static PyObject *await_next(await_object *self)
{
    PyObject *result;
    PySendResult sent = await_send(self, Py_None, &result);
    return sent == PYGEN_RETURN ? stop(result) : result;
}

PyDoc_STRVAR(await_send_doc, "send($self, value, /)\n--\n\nGo on, as a coroutine does.");

static PyObject *await_method_send(await_object *self, PyObject *value)
{
    PyObject *result;
    PySendResult sent = await_send(self, value, &result);
    if (sent != PYGEN_RETURN)
        return result;
    if (result == Py_None)
        PyErr_SetNone(PyExc_StopIteration);
    return stop(result);
}

PyDoc_STRVAR(await_throw_doc, "throw($self, /, *exception)\n--\n\nRaise an exception where it waits.");

static PyObject *await_throw(await_object *self, PyObject *arguments)
{
    if (self->later == NULL) {
        if (self->begun)
            return PyErr_Format(PyExc_RuntimeError, "this operation of a ring was awaited already");
        self->begun = true;
        if ((self->later = make_later(self)) == NULL) // which raises it before it has begun
            return NULL;
    }
    PyObject *later = Py_NewRef(self->later);
    PyObject *throw = PyObject_GetAttrString(later, "throw");
    PyObject *result = throw != NULL ? PyObject_Call(throw, arguments, NULL) : NULL;
    if (result == NULL)
        Py_CLEAR(self->later);
    Py_XDECREF(throw);
    Py_DECREF(later);
    return result;
}

PyDoc_STRVAR(await_close_doc, "close($self, /)\n--\n\nGive up, as a coroutine does.");

static PyObject *await_close(await_object *self, PyObject *Py_UNUSED(ignored))
{
    self->begun = true;
    PyObject *later = self->later;
    self->later = NULL;
    if (later == NULL)
        Py_RETURN_NONE;
    PyObject *result = PyObject_CallMethod(later, "close", NULL);
    Py_DECREF(later);
    return result;
}

// --- life ---

static int await_traverse(await_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->ring);
    Py_VISIT(self->item);
    Py_VISIT(self->limit);
    Py_VISIT(self->later);
    return 0;
}

static int await_clear(await_object *self)
{
    self->begun = true; // nothing is left that could be done
    Py_CLEAR(self->later);
    Py_CLEAR(self->item);
    Py_CLEAR(self->limit);
    return 0; // the ring goes in the end: what is awaited needs it
}

// As for a coroutine: who forgets to await loses an item.
static void await_finalize(await_object *self)
{
    if (self->begun)
        return;
    static const char *const names[] = {"aget", "aget_many", "aput"};
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%s() of a ring was never awaited", names[self->kind]) < 0)
        PyErr_WriteUnraisable((PyObject *)self->ring);
    PyErr_Restore(type, value, traceback);
}

static void await_dealloc(await_object *self)
{
    if (PC_UNLIKELY(!self->begun) && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)await_clear(self);
    Py_DECREF(self->ring);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef await_methods[] = {
    {"send", (PyCFunction)await_method_send, METH_O, await_send_doc},
    {"throw", (PyCFunction)await_throw, METH_VARARGS, await_throw_doc},
    {"close", (PyCFunction)await_close, METH_NOARGS, await_close_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot await_slots[] = {
    {Py_tp_dealloc, await_dealloc},   {Py_tp_finalize, await_finalize}, {Py_tp_traverse, await_traverse},
    {Py_tp_clear, await_clear},       {Py_tp_methods, await_methods},   {Py_tp_iternext, await_next},
    {Py_am_await, PyObject_SelfIter}, {Py_am_send, await_send},         {0, NULL},
};

static PyType_Spec await_spec = {
    .name = "perfcore._core.RingAwait",
    .basicsize = sizeof(await_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = await_slots,
};

int ring_await_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    state->ring_await_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &await_spec, NULL);
    return state->ring_await_type == NULL ? -1 : 0;
}

// --- the methods of the rings ---

const char ring_aget_doc[] = "aget($self, /)\n--\n\n"
                             "Get the first item, letting the event loop run while there is none.\n\n"
                             "Raises Closed when the ring is closed and drained.";

PyObject *ring_aget(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return make(self, AWAIT_GET, NULL, 0.0, NULL);
}

const char ring_aget_many_doc[] =
    "aget_many($self, max_items=None)\n--\n\n"
    "Get what is there, at most max_items, letting the event loop run while there is nothing.";

PyObject *ring_aget_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"max_items", NULL};
    static const arguments_spec spec = {"aget_many", names, 0, 1};
    PyObject *limit;
    if (arguments_parse(&spec, args, nargs, kwnames, &limit) < 0)
        return NULL;
    return make(self, AWAIT_GET_MANY, NULL, 0.0, limit);
}

const char ring_aput_doc[] = "aput($self, item)\n--\n\nPut an item, letting the event loop run while the ring is full.";

PyObject *ring_aput(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (PC_LIKELY(nargs == 1 && kwnames == NULL))
        return make(self, AWAIT_PUT, args[0], 0.0, NULL);
    static const char *const names[] = {"item", NULL};
    static const arguments_spec spec = {"aput", names, 1, 1};
    PyObject *item;
    return arguments_parse(&spec, args, nargs, kwnames, &item) < 0 ? NULL : make(self, AWAIT_PUT, item, 0.0, NULL);
}

PyObject *ring_aput_priority(ring_object *self, PyObject *item, double priority)
{
    return make(self, AWAIT_PUT, item, priority, NULL);
}

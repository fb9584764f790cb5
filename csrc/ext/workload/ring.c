// SPDX-License-Identifier: MIT
// Ring: the type. How items and waiters move is in ring_flow.c. It is the base class of a thin Python one, which adds
// the coroutines that wait on an event loop.
#include "workload/ring.h"

#include <structmember.h>

#include "workload/arguments.h"

bool ring_check(core_state *state, PyObject *object)
{
    return PyObject_TypeCheck(object, state->ring_type);
}

// --- life ---

static PyObject *ring_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"maxsize", NULL};
    Py_ssize_t maxsize = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n:Ring", names, &maxsize))
        return NULL;
    ring_object *self = (ring_object *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    self->limit = maxsize > 0 ? (size_t)maxsize : SIZE_MAX;
    self->state = core_state_of_type(type);
    self->sorted = self->state->priority_ring_type != NULL && PyType_IsSubtype(type, self->state->priority_ring_type);
    return (PyObject *)self;
}

static int ring_traverse(ring_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (size_t i = 0; i < self->ring.length; i++)
        Py_VISIT((PyObject *)pc_ring_at(&self->ring, i));
    for (size_t i = 0; i < self->heap.length; i++)
        Py_VISIT((PyObject *)self->heap.entries[i].item);
    int status = waiters_traverse(&self->getters, visit, arg);
    return status != 0 ? status : waiters_traverse(&self->putters, visit, arg);
}

static int ring_tp_clear(ring_object *self)
{
    // The end of an item may use the ring: each is out of it before it is let go.
    while (self->ring.length > 0)
        Py_DECREF((PyObject *)pc_ring_pop(&self->ring));
    while (self->heap.length > 0)
        Py_DECREF((PyObject *)pc_heap_pop(&self->heap));
    waiters_clear(&self->getters);
    waiters_clear(&self->putters);
    waiters_clear(&self->joiners);
    return 0;
}

static void ring_dealloc(ring_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    (void)ring_tp_clear(self);
    pc_ring_clear(&self->ring);
    pc_heap_clear(&self->heap);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

// --- put ---

PyObject *ring_put_outcome(ring_object *self, ring_outcome outcome)
{
    if (PC_LIKELY(outcome == RING_DONE))
        Py_RETURN_NONE;
    if (outcome == RING_ERROR)
        return NULL;
    return outcome == RING_CLOSED ? ring_raise_closed(self->state) : ring_raise_full(self->state);
}

PyDoc_STRVAR(ring_put_doc, "put($self, item, block=True, timeout=None)\n--\n\n"
                           "Put an item, waiting for a free slot as queue.Queue.put does.\n\n"
                           "Raises queue.Full, or Closed on a closed ring.");

// Not inlined, as get_slowly() below: what it keeps on the stack would cost the quick way a frame.
static __attribute__((noinline)) PyObject *put_slowly(ring_object *self, PyObject *const *args, Py_ssize_t nargs,
                                                      PyObject *kwnames)
{
    if (nargs == 1 && kwnames == NULL)
        return ring_put_outcome(self, ring_put(self, args[0], 0.0, RING_FOREVER));
    static const char *const names[] = {"item", "block", "timeout", NULL};
    static const arguments_spec spec = {"put", names, 1, 3};
    PyObject *values[3];
    ring_deadline deadline;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return ring_put_outcome(self, ring_put(self, values[0], 0.0, deadline));
}

static PyObject *ring_method_put(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (PC_LIKELY(nargs == 1 && kwnames == NULL && ring_put_at_once(self, args[0])))
        Py_RETURN_NONE;
    return put_slowly(self, args, nargs, kwnames);
}

PyDoc_STRVAR(ring_put_nowait_doc, "put_nowait($self, item, /)\n--\n\n"
                                  "Put an item, or raise queue.Full.");

static PyObject *ring_put_nowait(ring_object *self, PyObject *item)
{
    if (PC_LIKELY(ring_put_at_once(self, item)))
        Py_RETURN_NONE;
    return ring_put_outcome(self, ring_put(self, item, 0.0, RING_NOT_AT_ALL));
}

ring_object *ring_behind(core_state *state, PyObject *callable)
{
    if (!PyCFunction_CheckExact(callable))
        return NULL;
    PyCFunction function = PyCFunction_GET_FUNCTION(callable);
    if (function != (PyCFunction)(void (*)(void))ring_method_put && function != (PyCFunction)ring_put_nowait)
        return NULL;
    PyObject *self = PyCFunction_GET_SELF(callable);
    return ring_check(state, self) ? (ring_object *)self : NULL;
}

// --- get ---

PyObject *ring_get_item(ring_object *self, ring_deadline deadline)
{
    PyObject *item;
    ring_outcome outcome = ring_get(self, deadline, &item);
    if (PC_LIKELY(outcome == RING_DONE))
        return item;
    if (outcome == RING_ERROR)
        return NULL;
    return outcome == RING_CLOSED ? ring_raise_closed(self->state) : ring_raise_empty(self->state);
}

PyDoc_STRVAR(ring_get_doc, "get($self, block=True, timeout=None)\n--\n\n"
                           "Get the first item, waiting for one as queue.Queue.get does.\n\n"
                           "Raises queue.Empty, or Closed when the ring is closed and drained.");

static __attribute__((noinline)) PyObject *get_slowly(ring_object *self, PyObject *const *args, Py_ssize_t nargs,
                                                      PyObject *kwnames)
{
    if (nargs == 0 && kwnames == NULL)
        return ring_get_item(self, RING_FOREVER);
    static const char *const names[] = {"block", "timeout", NULL};
    static const arguments_spec spec = {"get", names, 0, 2};
    PyObject *values[2];
    ring_deadline deadline;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        ring_parse_deadline(values[0], values[1], &deadline) < 0)
        return NULL;
    return ring_get_item(self, deadline);
}

static PyObject *ring_method_get(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (PC_LIKELY(nargs == 0 && kwnames == NULL)) {
        PyObject *item = ring_get_at_once(self);
        if (PC_LIKELY(item != NULL))
            return item;
    }
    return get_slowly(self, args, nargs, kwnames);
}

PyDoc_STRVAR(ring_get_nowait_doc, "get_nowait($self, /)\n--\n\n"
                                  "Get the first item, or raise queue.Empty.");

static PyObject *ring_get_nowait(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *item = ring_get_at_once(self);
    return PC_LIKELY(item != NULL) ? item : ring_get_item(self, RING_NOT_AT_ALL);
}

// --- the rest of queue.Queue ---

PyDoc_STRVAR(ring_qsize_doc, "qsize($self, /)\n--\n\nReturn how many items are in.");

static PyObject *ring_qsize(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(ring_length(self));
}

PyDoc_STRVAR(ring_empty_doc, "empty($self, /)\n--\n\nSay whether no item is in.");

static PyObject *ring_empty(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(ring_length(self) == 0);
}

PyDoc_STRVAR(ring_full_doc, "full($self, /)\n--\n\nSay whether maxsize items are in.");

static PyObject *ring_full(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(ring_length(self) >= self->limit);
}

PyDoc_STRVAR(ring_task_done_doc, "task_done($self, /)\n--\n\n"
                                 "Say that one item that was got is done, for join().\n\n"
                                 "Raises ValueError when called more often than items were put.");

static PyObject *ring_method_task_done(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    if (!ring_task_done(self)) {
        PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(ring_join_doc, "join($self, /)\n--\n\nWait until task_done() was called for every item that was put.");

static PyObject *ring_method_join(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    if (ring_join(self) == RING_ERROR)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(ring_close_doc, "close($self, /)\n--\n\n"
                             "Take no more items. What is in can still be got; then get() raises Closed.");

static PyObject *ring_method_close(ring_object *self, PyObject *Py_UNUSED(ignored))
{
    ring_close(self);
    Py_RETURN_NONE;
}

// --- for the awaiting methods in Python ---

static waiters *side(ring_object *self, PyObject *for_get)
{
    return for_get == Py_True ? &self->getters : &self->putters;
}

PyDoc_STRVAR(ring_arm_doc, "_arm($self, callback, for_get, front)\n--\n\n"
                           "Have callback() called once, on any thread, when it is its turn to get (or to put).\n\n"
                           "It returns whether it took the wake-up; if not, the next in the line is served.");

static PyObject *ring_arm(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"callback", "for_get", "front", NULL};
    static const arguments_spec spec = {"_arm", names, 3, 3};
    PyObject *values[3];
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        waiters_add_callback(side(self, values[1]), values[0], values[2] == Py_True) < 0)
        return NULL;
    *(values[1] == Py_True ? &self->get_awaited : &self->put_awaited) = true;
    // Since the caller looked, another thread may have put, got or closed, and nobody was in the line to be told.
    if (self->closed)
        waiters_wake_all(side(self, values[1]), CLOSED);
    else
        ring_serve(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(ring_disarm_doc, "_disarm($self, callback, for_get)\n--\n\n"
                              "Take a callback out of the line; if it was called already, serve the next one instead.");

static PyObject *ring_disarm(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"callback", "for_get", NULL};
    static const arguments_spec spec = {"_disarm", names, 2, 2};
    PyObject *values[2];
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0)
        return NULL;
    waiters *list = side(self, values[1]);
    if (!waiters_remove_callback(list, values[0]))
        ring_serve(self);
    Py_RETURN_NONE;
}

static Py_ssize_t ring_sq_length(ring_object *self)
{
    return (Py_ssize_t)ring_length(self);
}

// A ring is true even when empty: it is a channel, and `if ring:` asks whether there is one.
static int ring_bool(ring_object *Py_UNUSED(self))
{
    return 1;
}

static PyObject *ring_get_maxsize(ring_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(self->limit == SIZE_MAX ? 0 : self->limit);
}

static PyObject *ring_get_closed(ring_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->closed);
}

static PyObject *ring_get_unfinished(ring_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(self->unfinished);
}

static PyGetSetDef ring_getset[] = {
    {"maxsize", (getter)ring_get_maxsize, NULL, "The greatest number of items; 0 for no limit.", NULL},
    {"closed", (getter)ring_get_closed, NULL, "Whether close() was called.", NULL},
    {"unfinished_tasks", (getter)ring_get_unfinished, NULL, "Items put for which task_done() was not called.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef ring_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ring_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS
PyDoc_STRVAR(class_getitem_doc, "__class_getitem__($type, item, /)\n--\n\nSupport Ring[int] in annotations.");

static PyMethodDef ring_methods[] = {
    {"put", FAST(ring_method_put), ring_put_doc},
    {"put_nowait", (PyCFunction)ring_put_nowait, METH_O, ring_put_nowait_doc},
    {"put_many", FAST(ring_put_many), ring_put_many_doc},
    {"get", FAST(ring_method_get), ring_get_doc},
    {"get_nowait", (PyCFunction)ring_get_nowait, METH_NOARGS, ring_get_nowait_doc},
    {"get_many", FAST(ring_get_many), ring_get_many_doc},
    {"qsize", (PyCFunction)ring_qsize, METH_NOARGS, ring_qsize_doc},
    {"empty", (PyCFunction)ring_empty, METH_NOARGS, ring_empty_doc},
    {"full", (PyCFunction)ring_full, METH_NOARGS, ring_full_doc},
    {"task_done", (PyCFunction)ring_method_task_done, METH_NOARGS, ring_task_done_doc},
    {"join", (PyCFunction)ring_method_join, METH_NOARGS, ring_join_doc},
    {"close", (PyCFunction)ring_method_close, METH_NOARGS, ring_close_doc},
    {"aget", (PyCFunction)(void (*)(void))ring_aget, METH_FASTCALL, ring_aget_doc},
    {"aget_many", FAST(ring_aget_many), ring_aget_many_doc},
    {"aput", FAST(ring_aput), ring_aput_doc},
    {"_arm", FAST(ring_arm), ring_arm_doc},
    {"_disarm", FAST(ring_disarm), ring_disarm_doc},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, class_getitem_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(ring_doc, "Ring(maxsize=0)\n--\n\n"
                       "A queue for any number of threads: first in, first out, with the names of queue.Queue.");

static PyType_Slot ring_slots[] = {
    {Py_tp_doc, (void *)ring_doc},
    {Py_tp_new, ring_new},
    {Py_tp_dealloc, ring_dealloc},
    {Py_tp_traverse, ring_traverse},
    {Py_tp_clear, ring_tp_clear},
    {Py_tp_methods, ring_methods},
    {Py_tp_getset, ring_getset},
    {Py_tp_members, ring_members},
    {Py_sq_length, ring_sq_length},
    {Py_nb_bool, ring_bool},
    {0, NULL},
};

static PyType_Spec ring_spec = {
    .name = "perfcore._core.Ring",
    .basicsize = sizeof(ring_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ring_slots,
};

int ring_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    return core_add_type(module, &ring_spec, &state->ring_type);
}

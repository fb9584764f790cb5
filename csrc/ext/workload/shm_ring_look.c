// SPDX-License-Identifier: MIT
// What a ShmRing says of itself: its properties, its errors, and when it is worth trying (see shm_ring.h).
#include "workload/shm_ring.h"

#include <stdarg.h>

// --- errors ---

static PyObject *raise_segment(core_state *state, const char *format, ...)
{
    if (state->segment_error == NULL) {
        PyObject *errors = PyImport_ImportModule("perfcore.errors");
        if (errors == NULL)
            return NULL;
        PyObject *found = PyObject_GetAttrString(errors, "SegmentError");
        Py_DECREF(errors);
        if (found == NULL)
            return NULL;
        Py_XSETREF(state->segment_error, found);
    }
    va_list arguments;
    va_start(arguments, format);
    PyObject *text = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    if (text != NULL)
        PyErr_SetObject(state->segment_error, text);
    Py_XDECREF(text);
    return NULL;
}

PyObject *shm_ring_raise(shm_ring_object *self, int status, bool getting)
{
    core_state *state = core_state_of_type(Py_TYPE(self));
    switch (-status) {
    case EPIPE:
        return ring_raise_closed(state);
    case EAGAIN:
    case EBUSY:
    case ETIMEDOUT:
        return getting ? ring_raise_empty(state) : ring_raise_full(state);
    case EBADMSG:
        return raise_segment(state, "the shared memory of ring '%s' is damaged; detach from it and make a new one",
                             self->shm == NULL ? "" : pc_shm_name(self->shm));
    default:
        return core_raise_errno(status);
    }
}

PyObject *shm_ring_raise_opening(core_state *state, int status, const char *name, Py_ssize_t size)
{
    const char *what = name == NULL ? "a ring" : name;
    switch (-status) {
    case EINVAL:
        return PyErr_Format(PyExc_ValueError, "a ring's name is 1 to %d of A-Z a-z 0-9 . _ -, not '%.300s'",
                            PC_SHM_NAME_BYTES - 1, what);
    case EBADMSG:
    case ELOOP:
        return raise_segment(
            state, "%s: what is there is no ring of this version of perfcore, or it is damaged; end who uses it", what);
    case EPERM:
    case EACCES:
        return raise_segment(state, "%s: the ring belongs to another user; use another name", what);
    case ETIMEDOUT:
        return raise_segment(state, "%s: another process is stopped while it makes or ends this ring", what);
    case ENOSPC:
        return raise_segment(state,
                             "%s: no %zd bytes of shared memory are left; take a smaller size, or look into /dev/shm",
                             what, size);
    default:
        return core_raise_errno(status);
    }
}

// --- for those who wait on event loops (perfcore/turns.py) ---

const char shm_ring_position_doc[] = "_position($self, for_get, /)\n--\n\n"
                                     "Return how far the side has come that moves what getters (or putters) wait for.";

PyObject *shm_ring_method_position(shm_ring_object *self, PyObject *for_get)
{
    pc_shm *shm = shm_ring_handle(self);
    return shm == NULL ? NULL : PyLong_FromUnsignedLongLong(pc_shm_position(shm, for_get == Py_True));
}

const char shm_ring_watch_doc[] =
    "_watch($self, for_get, position, /)\n--\n\n"
    "Sleep until there is an item to get, or until room came after `position`; a tenth of a second at most.\n\n"
    "Return whether it did. Nothing is got or put.";

PyObject *shm_ring_method_watch(shm_ring_object *self, PyObject *args)
{
    int for_get;
    unsigned long long position;
    if (!PyArg_ParseTuple(args, "pK:_watch", &for_get, &position))
        return NULL;
    int moved = shm_ring_watch(self, for_get != 0, position);
    return moved < 0 ? NULL : PyBool_FromLong(moved);
}

const char shm_ring_pass_on_doc[] = "_pass_on($self, for_get, /)\n--\n\n"
                                    "Wake another one who sleeps for this: what woke the caller is left to it.";

PyObject *shm_ring_method_pass_on(shm_ring_object *self, PyObject *for_get)
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    pc_shm_pass_on(shm, for_get == Py_True);
    Py_RETURN_NONE;
}

// --- properties ---

static PyObject *get_name(shm_ring_object *self, void *Py_UNUSED(closure))
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    const char *name = pc_shm_name(shm);
    return name[0] == '\0' ? Py_NewRef(Py_None) : PyUnicode_FromString(name);
}

enum { SIZE, TAG, PUTS, GETS, RECOVERIES, CLOSED_FLAG };

static PyObject *get_number(shm_ring_object *self, void *which)
{
    pc_shm_state state;
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    pc_shm_look(shm, &state);
    switch ((intptr_t)which) {
    case SIZE:
        return PyLong_FromSize_t(state.capacity);
    case TAG:
        return PyLong_FromUnsignedLong(pc_shm_tag(shm));
    case PUTS:
        return PyLong_FromUnsignedLongLong(state.puts);
    case GETS:
        return PyLong_FromUnsignedLongLong(state.gets);
    case RECOVERIES:
        return PyLong_FromUnsignedLongLong(state.recoveries);
    default:
        return PyBool_FromLong(state.closed);
    }
}

static PyObject *get_detached(shm_ring_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->shm == NULL || self->leaving);
}

#define NUMBER(name, which, doc)                                                                                       \
    {                                                                                                                  \
        name, (getter)get_number, NULL, doc, (void *)(intptr_t)(which)                                                 \
    }

PyGetSetDef shm_ring_getset[] = {
    {"name", (getter)get_name, NULL, "The name, or None.", NULL},
    NUMBER("size", SIZE, "Bytes for items; each takes 8 more than its own, rounded up to a multiple of 8."),
    NUMBER("_tag", TAG, "The number of the codec."),
    NUMBER("puts", PUTS, "Items put since the ring was made."),
    NUMBER("gets", GETS, "Items got since the ring was made."),
    NUMBER("recoveries", RECOVERIES, "Times that a user died in the middle of a put or a get, and another went on."),
    NUMBER("closed", CLOSED_FLAG, "Whether close() was called, in any process."),
    {"detached", (getter)get_detached, NULL, "Whether detach() was called.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

// SPDX-License-Identifier: MIT
// Objects of a ShmRing to bytes and back (see shm_ring.h).
//
// pickle is general and slow. Most messages are plain data: trees of None, bool, int, float, str, bytes, list and dict
// with str keys, of exactly these types. Those go through a second codec, MessagePack, which gives the same back in a
// fifth of the time. Two things pickle would keep and it would not: that an object occurs twice (then it would come
// back as two), and a tuple. So a tree with a tuple, or with a list or dict that occurs twice, is not plain, nor is
// what MessagePack refuses (a large int, a lone surrogate, more than 200 levels), or what is too large for the ring
// that way: it writes a str again each time it occurs, pickle once. Contract: with the GIL held; only a large message
// is copied without it.
#include "workload/shm_ring.h"

#include <string.h>

enum {
    PLAIN_LEVELS = 32,
    PLAIN_SEEN = 16, // lists and dicts with more than one reference
};

typedef struct plain_walk {
    PyObject *seen[PLAIN_SEEN]; // who is referenced once occurs once: only the others are remembered
    int count;
} plain_walk;

static bool is_plain(plain_walk *walk, PyObject *item, int level);

static bool is_first_time(plain_walk *walk, PyObject *container, int level)
{
    if (level == PLAIN_LEVELS)
        return false;
    if (Py_REFCNT(container) == 1)
        return true;
    for (int i = 0; i < walk->count; i++) {
        if (walk->seen[i] == container)
            return false;
    }
    if (walk->count == PLAIN_SEEN)
        return false;
    walk->seen[walk->count++] = container;
    return true;
}

// Nothing of the user's runs in here.
static bool is_plain_container(plain_walk *walk, PyObject *item, int level)
{
    if (PyDict_CheckExact(item)) {
        if (!is_first_time(walk, item, level))
            return false;
        Py_ssize_t at = 0;
        PyObject *key, *value;
        while (PyDict_Next(item, &at, &key, &value)) {
            if (!PyUnicode_CheckExact(key) || !is_plain(walk, value, level + 1))
                return false;
        }
        return true;
    }
    if (!PyList_CheckExact(item) || !is_first_time(walk, item, level))
        return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(item); i++) {
        if (!is_plain(walk, PyList_GET_ITEM(item, i), level + 1))
            return false;
    }
    return true;
}

static bool is_plain(plain_walk *walk, PyObject *item, int level)
{
    if (PyUnicode_CheckExact(item) || PyLong_CheckExact(item) || PyFloat_CheckExact(item) || item == Py_None ||
        PyBool_Check(item) || PyBytes_CheckExact(item))
        return true;
    return is_plain_container(walk, item, level);
}

// Try the codec of plain data. NULL without an exception: it is not plain, or too large so.
static PyObject *encode_plain(shm_ring_object *self, PyObject *item)
{
    plain_walk walk;
    walk.count = 0;
    if (self->plain_dumps == NULL || !is_plain(&walk, item, 0))
        return NULL;
    PyObject *bytes = PyObject_CallOneArg(self->plain_dumps, item);
    if (PC_UNLIKELY(bytes == NULL) && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear(); // an EncodeError: pickle takes it
    if (PC_LIKELY(bytes != NULL) && self->shm != NULL && (size_t)PyBytes_GET_SIZE(bytes) > pc_shm_largest(self->shm))
        Py_CLEAR(bytes);
    return bytes;
}

static bool has_codec(const shm_ring_object *self)
{
    if (PC_LIKELY(self->dumps != NULL && self->loads != NULL))
        return true;
    PyErr_SetString(PyExc_TypeError, "this ShmRing has no codec for objects; make it by perfcore.messaging.ShmRing");
    return false;
}

static PyObject *encode_object(shm_ring_object *self, PyObject *item)
{
    if (!has_codec(self))
        return NULL;
    PyObject *arguments[] = {item, self->dumps_extra};
    PyObject *bytes = PyObject_Vectorcall(self->dumps, arguments, self->dumps_extra == NULL ? 1 : 2, NULL);
    if (bytes != NULL && !PyBytes_CheckExact(bytes)) {
        PyErr_Format(PyExc_TypeError, "the codec's dumps() gave %.200s, not bytes", Py_TYPE(bytes)->tp_name);
        Py_CLEAR(bytes);
    }
    return bytes;
}

PyObject *shm_ring_encode(shm_ring_object *self, PyObject *item, pc_shm_piece *piece)
{
    PyObject *bytes;
    if (PyBytes_CheckExact(item)) {
        bytes = Py_NewRef(item);
        piece->kind = SHM_RING_BYTES;
    } else if ((bytes = encode_plain(self, item)) != NULL) {
        piece->kind = SHM_RING_PLAIN;
    } else if (!PyErr_Occurred()) {
        bytes = encode_object(self, item);
        piece->kind = SHM_RING_OBJECT;
    }
    if (bytes == NULL)
        return NULL;
    piece->data = PyBytes_AS_STRING(bytes);
    piece->length = (size_t)PyBytes_GET_SIZE(bytes);
    pc_shm *shm = shm_ring_handle(self); // dumps() may have run anything
    if (PC_UNLIKELY(shm == NULL || piece->length > pc_shm_largest(shm))) {
        if (shm != NULL)
            PyErr_Format(PyExc_ValueError, "a message of %zu bytes is more than the ring's %zu; make the ring larger",
                         piece->length, pc_shm_largest(shm));
        Py_DECREF(bytes);
        return NULL;
    }
    return bytes;
}

static PyObject *bytes_of(const pc_shm_piece *piece)
{
    if (PC_LIKELY(piece->length <= PC_SHM_BATCH_BYTES))
        return PyBytes_FromStringAndSize(piece->data, (Py_ssize_t)piece->length);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)piece->length);
    if (bytes == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(bytes); // nobody else has these bytes, nor the batch
    Py_BEGIN_ALLOW_THREADS
    memcpy(to, piece->data, piece->length);
    Py_END_ALLOW_THREADS
    return bytes;
}

PyObject *shm_ring_decode(shm_ring_object *self, const pc_shm_piece *piece)
{
    PyObject *bytes = bytes_of(piece);
    if (bytes == NULL || piece->kind == SHM_RING_BYTES)
        return bytes;
    bool plain = piece->kind == SHM_RING_PLAIN && self->plain_loads != NULL;
    PyObject *loads = plain ? self->plain_loads : has_codec(self) ? self->loads : NULL;
    PyObject *item = loads == NULL ? NULL : PyObject_CallOneArg(loads, bytes);
    Py_DECREF(bytes);
    return item;
}

// SPDX-License-Identifier: MIT
// Endpoint: where a router delivers, a mailbox (a Ring) or a handler, with its policy and its counters.
//
// Invariants: `sink` is the ring that a message can be put into where that takes no more than ring_put_at_once(): the
// mailbox, or the ring whose own put() is the handler; borrowed from `target`, NULL once the endpoint is removed.
// Thread contract: the GIL is held; a delivery may run a handler or wait for a free slot, and so let others run.
#ifndef PC_EXT_ENDPOINT_H
#define PC_EXT_ENDPOINT_H

#include "ext.h"
#include "base/pc_bytes.h"
#include "workload/ring.h"

// What happens to a message for a full mailbox.
typedef enum { POLICY_BLOCK, POLICY_DROP_OLDEST, POLICY_DROP_NEW, POLICY_ERROR } endpoint_policy;

enum { ENDPOINT_TEXT = 27, ENDPOINT_NO_TEXT = 255 };

// All that a delivery touches comes first. With the collector's header of 16 bytes the block has 128, which pymalloc
// lays so that the first 64 bytes of the object are one cache line.
typedef struct endpoint_object {
    PyObject_HEAD
    ring_object *sink;
    unsigned long long delivered;
    uint8_t text_length; // ENDPOINT_NO_TEXT where the name is not ASCII, or longer
    uint8_t policy;
    bool removed;
    bool registered;          // its router finds it by the hash of its name
    bool is_mailbox;          // what `target` is
    char text[ENDPOINT_TEXT]; // the name once more
    PyObject *name;
    PyObject *target;  // the mailbox or the handler
    PyObject *filters; // set of the topic filters it subscribes to
    uint64_t order;    // of its adding, which is the order of delivery
    unsigned long long dropped;
    unsigned long long failed; // calls of the handler that raised
} endpoint_object;

_Static_assert(sizeof(PyObject) != 16 || (offsetof(endpoint_object, name) == 64 && sizeof(endpoint_object) == 112),
               "an endpoint fills a block of 128 bytes");

// What became of one delivery. DELIVERY_FULL: refused by POLICY_ERROR, no exception set yet.
typedef enum { DELIVERY_ERROR = -1, DELIVERY_DROPPED = 0, DELIVERY_MADE = 1, DELIVERY_FULL = 2 } delivery;

// Make an endpoint, of an exact str, that delivers to `target`, a ring or a callable. NULL with an exception.
endpoint_object *endpoint_create(core_state *state, PyObject *name, PyObject *target, PyObject *policy,
                                 uint64_t order) PC_NODISCARD;

// Deliver one message; the caller holds references to both.
delivery endpoint_deliver(endpoint_object *self, PyObject *message) PC_NODISCARD;

// Let it get nothing more.
static inline void endpoint_retire(endpoint_object *self)
{
    self->removed = true;
    self->sink = NULL;
}

// Its mailbox, borrowed, or NULL.
static inline ring_object *endpoint_mailbox(const endpoint_object *self)
{
    return self->is_mailbox ? (ring_object *)self->target : NULL;
}

// Whether it is called so, by an exact str that is ready (its hash has been asked for). Runs nothing.
static inline bool endpoint_is_called(const endpoint_object *self, PyObject *name)
{
    if (PC_LIKELY(self->text_length != ENDPOINT_NO_TEXT))
        return PyUnicode_IS_COMPACT_ASCII(name) && PyUnicode_GET_LENGTH(name) == self->text_length &&
               pc_bytes_same(self->text, (const char *)PyUnicode_1BYTE_DATA(name), self->text_length);
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    unsigned kind = PyUnicode_KIND(name);
    return PyUnicode_GET_LENGTH(self->name) == length && PyUnicode_KIND(self->name) == kind &&
           memcmp(PyUnicode_DATA(self->name), PyUnicode_DATA(name), (size_t)length * kind) == 0;
}

// Put a message into a ring with room where nobody waits. False: it takes more than that. Runs nothing.
static inline bool endpoint_deliver_at_once(endpoint_object *self, PyObject *message)
{
    if (PC_UNLIKELY(self->sink == NULL || !ring_put_at_once(self->sink, message)))
        return false;
    self->delivered++;
    return true;
}

#endif

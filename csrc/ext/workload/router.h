// SPDX-License-Identifier: MIT
// Router: messages to endpoints, directly, in turn, by the hash of a key, by topic, or to all.
//
// Invariants: an endpoint in the trie is in `by_name`, which owns it. What is routed to is a snapshot, a tuple that is
// replaced and never changed, so handlers and other threads may add, remove and subscribe while it is walked; who was
// removed gets nothing more, who unsubscribed may get the message that is on its way.
// Thread contract: the GIL is held; any code may run in a delivery.
#ifndef PC_EXT_ROUTER_H
#define PC_EXT_ROUTER_H

#include "workload/endpoint.h"
#include "workload/pc_trie.h"

#include <string.h>

enum { ROUTER_RECENT = 1024 }; // a power of two

typedef struct router_object {
    PyObject_HEAD
    PyObject *by_name; // dict of name to endpoint, in the order of adding
    PyObject *all;     // tuple of its values; NULL when it has changed
    PyObject *cache;   // dict of topic to the tuple of who is subscribed
    pc_trie trie;
    uint64_t next_order;
    size_t turn; // of send_next()
    // Endpoints by the hash of their names, in front of by_name, whose look-up takes most of a direct delivery.
    // Borrowed from it, and forgotten whenever it changes. Names are exact strs whose hash is known.
    endpoint_object *recent[ROUTER_RECENT];
} router_object;

// The endpoint of a name, borrowed. NULL with RouteError.
PyObject *router_find(router_object *self, PyObject *name);

// The endpoint of a name if it was looked up before, borrowed, or NULL. Runs nothing and raises nothing.
static inline endpoint_object *router_recall(router_object *self, PyObject *name)
{
    if (PC_UNLIKELY(!PyUnicode_CheckExact(name)))
        return NULL;
    Py_hash_t hash = ((PyASCIIObject *)name)->hash; // -1 where nobody has asked for it
    endpoint_object *found = self->recent[(size_t)hash & (ROUTER_RECENT - 1)];
    if (found == NULL || found->name == name)
        return found;
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    unsigned kind = PyUnicode_KIND(name);
    bool same = ((PyASCIIObject *)found->name)->hash == hash && PyUnicode_GET_LENGTH(found->name) == length &&
                PyUnicode_KIND(found->name) == kind &&
                memcmp(PyUnicode_DATA(found->name), PyUnicode_DATA(name), (size_t)length * kind) == 0;
    return same ? found : NULL;
}

// A borrowed tuple of all endpoints. NULL with an exception.
PyObject *router_everyone(router_object *self);

// Raise RouteError with a text about an object. Returns NULL.
PyObject *router_raise(router_object *self, const char *format, PyObject *what);

// 0, or -1 with TypeError when a method got another number of arguments than it takes.
int router_check_count(const char *function, Py_ssize_t given, Py_ssize_t wanted) PC_NODISCARD;

// The methods that route: X(message) or X(key, message), and X_many with sequences.
#define ROUTER_WAY(name)                                                                                               \
    PyObject *router_##name(router_object *self, PyObject *const *args, Py_ssize_t nargs);                             \
    PyObject *router_##name##_many(router_object *self, PyObject *const *args, Py_ssize_t nargs)
ROUTER_WAY(send);
ROUTER_WAY(send_next);
ROUTER_WAY(send_hashed);
ROUTER_WAY(publish);
ROUTER_WAY(broadcast);
ROUTER_WAY(route);
#undef ROUTER_WAY

#endif

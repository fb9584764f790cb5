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

typedef struct router_object {
    PyObject_HEAD
    PyObject *by_name; // dict of name to endpoint, in the order of adding
    PyObject *all;     // tuple of its values; NULL when it has changed
    PyObject *cache;   // dict of topic to the tuple of who is subscribed
    pc_trie trie;
    uint64_t next_order;
    size_t turn; // of send_next()
} router_object;

// The endpoint of a name, borrowed. NULL with RouteError.
PyObject *router_find(router_object *self, PyObject *name);

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

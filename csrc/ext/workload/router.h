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
#include "workload/pc_registry.h"
#include "workload/pc_trie.h"

typedef struct router_object {
    PyObject_HEAD
    PyObject *by_name; // dict of name to endpoint, in the order of adding
    // The same by the hashes of the names: borrowed, and quicker than the dict, as it is compared with what a delivery
    // touches anyway. What is not in it (for want of memory) is in the dict.
    pc_registry names;
    PyObject *all;   // tuple of its values; NULL when it has changed
    PyObject *cache; // dict of topic to the tuple of who is subscribed
    pc_trie trie;
    uint64_t next_order;
    size_t turn; // of send_next()
} router_object;

// The endpoint of a name, borrowed. NULL with RouteError. By the text alone: until there is an error it runs nothing.
PyObject *router_find(router_object *self, PyObject *name);

// The endpoint of this name in `names`, borrowed, or NULL: then router_find() has the answer. Runs and raises nothing.
static inline endpoint_object *router_recall(const router_object *self, PyObject *name)
{
    if (PC_UNLIKELY(!PyUnicode_CheckExact(name)))
        return NULL;
    uint64_t hash = (uint64_t)PyObject_Hash(name); // of an exact str: runs nothing, and never fails
    const pc_registry_entry *entry = pc_registry_first(&self->names, hash);
    while (entry != NULL && PC_UNLIKELY(!endpoint_is_called(entry->thing, name)))
        entry = pc_registry_next(&self->names, entry);
    return entry != NULL ? entry->thing : NULL;
}

// A borrowed tuple of all endpoints. NULL with an exception.
PyObject *router_everyone(router_object *self);

// Raise RouteError with a text about an object. Returns NULL.
PyObject *router_raise(router_object *self, const char *format, PyObject *what);

// 0, or -1 with TypeError when a method got another number of arguments than it takes.
int router_check_count(const char *function, Py_ssize_t given, Py_ssize_t wanted) PC_NODISCARD;

// 0, or -1 with ValueError when there is not one key for each message; both are tuples.
int router_check_keys(const char *function, PyObject *keys, PyObject *messages) PC_NODISCARD;

// Deliver to one endpoint: how many deliveries that made, or -1 with an exception. Takes no reference from the caller.
Py_ssize_t router_deliver(router_object *self, endpoint_object *endpoint, PyObject *message) PC_NODISCARD;

// send_many() with a name for each message: how many deliveries that made, or -1 with an exception (router_send.c).
Py_ssize_t router_send_each(router_object *self, PyObject *names, PyObject *messages) PC_NODISCARD;

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

// SPDX-License-Identifier: MIT
// Endpoint: where a router delivers, a mailbox (a Ring) or a handler, with its policy and its counters.
// Thread contract: the GIL is held; a delivery may run a handler or wait for a free slot, and so let others run.
#ifndef PC_EXT_ENDPOINT_H
#define PC_EXT_ENDPOINT_H

#include "ext.h"
#include "workload/ring.h"

// What happens to a message for a full mailbox.
typedef enum { POLICY_BLOCK, POLICY_DROP_OLDEST, POLICY_DROP_NEW, POLICY_ERROR } endpoint_policy;

typedef struct endpoint_object {
    PyObject_HEAD
    PyObject *name;
    ring_object *mailbox; // or NULL
    PyObject *handler;    // or NULL
    PyObject *filters;    // set of the topic filters it subscribes to
    endpoint_policy policy;
    bool removed;
    uint64_t order; // of its adding, which is the order of delivery
    unsigned long long delivered;
    unsigned long long dropped;
    unsigned long long failed; // calls of the handler that raised
} endpoint_object;

// What became of one delivery. DELIVERY_FULL: refused by POLICY_ERROR, no exception set yet.
typedef enum { DELIVERY_ERROR = -1, DELIVERY_DROPPED = 0, DELIVERY_MADE = 1, DELIVERY_FULL = 2 } delivery;

// Make an endpoint that delivers to `target`, a ring or a callable. NULL with an exception.
endpoint_object *endpoint_create(core_state *state, PyObject *name, PyObject *target, PyObject *policy,
                                 uint64_t order) PC_NODISCARD;

// Deliver one message; the caller holds references to both.
delivery endpoint_deliver(endpoint_object *self, PyObject *message) PC_NODISCARD;

#endif

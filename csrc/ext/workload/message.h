// SPDX-License-Identifier: MIT
// Message: what agents send each other, six fields that never change. 64 bytes and the collector's header.
//
// Invariants: sender is an exact str, recipient and topic are exact strs or None, so that comparing and hashing them
// runs nobody's code; 0 <= id. A message whose payload cannot be part of a cycle is not tracked by the collector.
// Ids: 53 bits, which every reader of JSON keeps exactly. An interpreter counts up from a random number, and draws
// anew after a fork; two processes of 10^6 messages each share one with a probability of 2 in 10^10.
// Thread contract: the GIL is held. Units: nanoseconds since 1970 (CLOCK_REALTIME).
#ifndef PC_EXT_MESSAGE_H
#define PC_EXT_MESSAGE_H

#include "ext.h"

enum { MESSAGE_FIELDS = 6 }; // sender, recipient, topic, payload, id, timestamp: everywhere in this order

typedef struct message_object {
    PyObject_HEAD
    PyObject *sender;
    PyObject *recipient;
    PyObject *topic;
    PyObject *payload;
    long long id;
    long long timestamp;
} message_object;

extern const char *const message_field_names[MESSAGE_FIELDS + 1]; // NULL at the end

// Make a message of borrowed values; NULL stands for one that was not given. NULL with TypeError or ValueError.
PyObject *message_create(core_state *state, PyObject *const *values) PC_NODISCARD;

static inline bool message_check(const core_state *state, PyObject *object)
{
    return Py_TYPE(object) == state->message_type; // the type is final
}

#endif

// SPDX-License-Identifier: MIT
// Whom a message goes to, and the delivery to them (see router.h).
#include "workload/router.h"

#include "workload/arguments.h"
#include "workload/message.h"
#include "workload/pc_hash.h"

enum { CACHED_TOPICS = 4096 };

typedef enum { WAY_DIRECT, WAY_NEXT, WAY_HASHED, WAY_TOPIC, WAY_ALL, WAY_OWN } way;

// --- whom a message goes to ---

static PyObject *next_of_all(router_object *self, size_t place)
{
    PyObject *all = router_everyone(self);
    if (all == NULL)
        return NULL;
    if (PyTuple_GET_SIZE(all) == 0)
        return router_raise(self, "the router has no endpoint; add one first", NULL);
    return PyTuple_GET_ITEM(all, (Py_ssize_t)(place % (size_t)PyTuple_GET_SIZE(all)));
}

static PyObject *hashed(router_object *self, PyObject *key)
{
    const char *bytes;
    Py_ssize_t length;
    if (PyBytes_Check(key)) {
        bytes = PyBytes_AS_STRING(key);
        length = PyBytes_GET_SIZE(key);
    } else if (!PyUnicode_Check(key)) {
        return PyErr_Format(PyExc_TypeError, "a key is a str or bytes, not %R", key);
    } else if ((bytes = PyUnicode_AsUTF8AndSize(key, &length)) == NULL) {
        return NULL;
    }
    PyObject *all = router_everyone(self);
    if (all == NULL)
        return NULL;
    return next_of_all(self, pc_hash_place(pc_hash_bytes(bytes, (size_t)length), (uint32_t)PyTuple_GET_SIZE(all)));
}

static PyObject *match_topic(router_object *self, PyObject *topic)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(topic, &length);
    if (text == NULL)
        return NULL;
    if (pc_trie_check_topic(text, (size_t)length) < 0)
        return PyErr_Format(PyExc_ValueError, "%R is no topic: it must not be empty nor hold '+', '#' or NUL", topic);
    pc_subscribers found = {0};
    int status = pc_trie_match(&self->trie, text, (size_t)length, &found);
    if (status < 0) {
        (void)core_raise_errno(status);
        pc_subscribers_clear(&found);
        return NULL;
    }
    // References first: making the tuple may collect garbage, whose end may remove an endpoint.
    for (size_t i = 0; i < found.length; i++)
        Py_INCREF((PyObject *)found.data[i].who);
    PyObject *tuple = PyTuple_New((Py_ssize_t)found.length);
    for (size_t i = 0; i < found.length; i++) {
        if (tuple != NULL)
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, (PyObject *)found.data[i].who);
        else
            Py_DECREF((PyObject *)found.data[i].who);
    }
    pc_subscribers_clear(&found);
    return tuple;
}

// A new reference to the tuple of who is subscribed to a topic, an exact str: comparing it runs nothing.
static PyObject *subscribed(router_object *self, PyObject *topic)
{
    PyObject *tuple = PyDict_GetItemWithError(self->cache, topic);
    if (PC_LIKELY(tuple != NULL))
        return Py_NewRef(tuple);
    if (PyErr_Occurred())
        return NULL;
    // Making a tuple may collect garbage, whose end may change the subscriptions: then the answer is not kept.
    PyObject *cache = Py_NewRef(self->cache); // router_changed() makes another one
    tuple = match_topic(self, topic);
    if (tuple != NULL && cache == self->cache) {
        if (PyDict_GET_SIZE(cache) >= CACHED_TOPICS)
            PyDict_Clear(cache);
        if (PyDict_SetItem(cache, topic, tuple) < 0)
            Py_CLEAR(tuple);
    }
    Py_DECREF(cache);
    return tuple;
}

static PyObject *subscribed_to_any(router_object *self, PyObject *topic)
{
    PyObject *exact = arguments_text(topic, "a topic");
    PyObject *tuple = exact != NULL ? subscribed(self, exact) : NULL;
    Py_XDECREF(exact);
    return tuple;
}

// --- routing ---

static PyObject *raise_full(router_object *self, PyObject *name)
{
    core_state *state = core_state_of_type(Py_TYPE(self));
    (void)ring_raise_full(state); // imports it
    if (state->queue_full != NULL)
        PyErr_Format(state->queue_full, "the mailbox of endpoint %R is full", name);
    return NULL;
}

Py_ssize_t router_deliver(router_object *self, endpoint_object *endpoint, PyObject *message)
{
    if (PC_LIKELY(endpoint_deliver_at_once(endpoint, message)))
        return 1;
    Py_INCREF(endpoint);
    delivery outcome = endpoint_deliver(endpoint, message);
    if (outcome == DELIVERY_FULL)
        (void)raise_full(self, endpoint->name);
    Py_DECREF(endpoint);
    return outcome == DELIVERY_FULL ? -1 : (Py_ssize_t)outcome;
}

// Deliver to all of a tuple. One whose mailbox refuses keeps the message from nobody: the exception comes at the end.
static Py_ssize_t deliver_to_all(router_object *self, PyObject *endpoints, PyObject *message)
{
    Py_ssize_t made = 0;
    endpoint_object *full = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(endpoints); i++) {
        endpoint_object *endpoint = (endpoint_object *)PyTuple_GET_ITEM(endpoints, i);
        if (PC_LIKELY(endpoint_deliver_at_once(endpoint, message))) {
            made++;
            continue;
        }
        delivery outcome = endpoint_deliver(endpoint, message);
        if (outcome == DELIVERY_ERROR)
            return -1;
        made += outcome == DELIVERY_MADE;
        if (outcome == DELIVERY_FULL && full == NULL)
            full = endpoint;
    }
    if (full == NULL)
        return made;
    (void)raise_full(self, full->name);
    return -1;
}

// Where a Message says that it goes: to its recipient, else to who subscribes to its topic. 0, or -1 with an exception.
static int read_address(router_object *self, PyObject *message, way *how, PyObject **key)
{
    if (!message_check(core_state_of_type(Py_TYPE(self)), message)) {
        PyErr_Format(PyExc_TypeError, "only a Message says where it goes, not %.100s", Py_TYPE(message)->tp_name);
        return -1;
    }
    const message_object *letter = (const message_object *)message;
    bool direct = letter->recipient != Py_None;
    *how = direct ? WAY_DIRECT : WAY_TOPIC;
    *key = direct ? letter->recipient : letter->topic;
    if (*key != Py_None)
        return 0;
    (void)router_raise(self, "%R has neither recipient nor topic; send it by name, or to all with broadcast()",
                       message);
    return -1;
}

static Py_ssize_t route(router_object *self, way how, PyObject *key, PyObject *message)
{
    PyObject *target;
    if (how == WAY_OWN && read_address(self, message, &how, &key) < 0)
        return -1;
    switch (how) {
    case WAY_DIRECT:
        target = (PyObject *)router_recall(self, key);
        if (PC_UNLIKELY(target == NULL))
            target = router_find(self, key);
        break;
    case WAY_NEXT:
        target = next_of_all(self, self->turn++);
        break;
    case WAY_HASHED:
        target = hashed(self, key);
        break;
    case WAY_TOPIC:
    case WAY_ALL:
    case WAY_OWN:
    default:
        if (how != WAY_TOPIC)
            target = Py_XNewRef(router_everyone(self));
        else
            target = PC_LIKELY(PyUnicode_CheckExact(key)) ? subscribed(self, key) : subscribed_to_any(self, key);
        Py_ssize_t made = target != NULL ? deliver_to_all(self, target, message) : -1;
        Py_XDECREF(target);
        return made;
    }
    return target != NULL ? router_deliver(self, (endpoint_object *)target, message) : -1;
}

// Broadcast messages mailbox by mailbox, which spares their cache lines, where every mailbox can take them all at once:
// then no code runs in between, and nobody sees the order. False when it is not so, with nothing delivered.
static bool broadcast_at_once(router_object *self, PyObject *messages)
{
    PyObject *all = self->all;
    size_t count = (size_t)PyTuple_GET_SIZE(messages);
    for (Py_ssize_t i = 0; all != NULL && i < PyTuple_GET_SIZE(all); i++) {
        ring_object *mailbox = endpoint_mailbox((endpoint_object *)PyTuple_GET_ITEM(all, i));
        if (mailbox == NULL || mailbox->limit != SIZE_MAX || !ring_can_take(mailbox, count))
            return false;
    }
    for (Py_ssize_t i = 0; all != NULL && i < PyTuple_GET_SIZE(all); i++) {
        endpoint_object *endpoint = (endpoint_object *)PyTuple_GET_ITEM(all, i);
        ring_take(endpoint_mailbox(endpoint), PySequence_Fast_ITEMS(messages), count);
        endpoint->delivered += count;
    }
    return all != NULL;
}

int router_check_count(const char *function, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd positional arguments (%zd given)", function, wanted, given);
    return -1;
}

int router_check_keys(const char *function, PyObject *keys, PyObject *messages)
{
    if (PyTuple_GET_SIZE(keys) == PyTuple_GET_SIZE(messages))
        return 0;
    PyErr_Format(PyExc_ValueError, "%s() got %zd keys for %zd messages; give one key, or one for each", function,
                 PyTuple_GET_SIZE(keys), PyTuple_GET_SIZE(messages));
    return -1;
}

static bool has_key(way how)
{
    return how != WAY_NEXT && how != WAY_ALL && how != WAY_OWN;
}

static PyObject *route_one(router_object *self, way how, const char *function, PyObject *const *args, Py_ssize_t nargs)
{
    bool keyed = has_key(how);
    if (router_check_count(function, nargs, keyed ? 2 : 1) < 0)
        return NULL;
    Py_ssize_t made = route(self, how, keyed ? args[0] : NULL, args[nargs - 1]);
    return made < 0 ? NULL : PyLong_FromSsize_t(made);
}

// Route messages[i] by keys[i], or all by one key that is a str or bytes. Stops at the first exception.
static PyObject *route_many(router_object *self, way how, const char *function, PyObject *const *args, Py_ssize_t nargs)
{
    bool keyed = has_key(how);
    if (router_check_count(function, nargs, keyed ? 2 : 1) < 0)
        return NULL;
    bool one_key = !keyed || PyUnicode_Check(args[0]) || PyBytes_Check(args[0]);
    if (how == WAY_DIRECT && !one_key) {
        Py_ssize_t sent = router_send_each(self, args[0], args[1]);
        return sent < 0 ? NULL : PyLong_FromSsize_t(sent);
    }
    PyObject *key = keyed && one_key ? args[0] : NULL;
    PyObject *keys = one_key ? NULL : PySequence_Tuple(args[0]);
    // Tuples, because handlers may change a list.
    PyObject *messages = one_key || keys != NULL ? PySequence_Tuple(args[nargs - 1]) : NULL;
    Py_ssize_t made = -1;
    if (messages != NULL && keys != NULL && router_check_keys(function, keys, messages) < 0) {
        made = -1;
    } else if (messages != NULL && how == WAY_ALL && router_everyone(self) != NULL &&
               broadcast_at_once(self, messages)) {
        made = PyTuple_GET_SIZE(messages) * PyTuple_GET_SIZE(self->all);
    } else if (messages != NULL && !PyErr_Occurred()) {
        made = 0;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(messages); i++) {
            PyObject *each = keys != NULL ? PyTuple_GET_ITEM(keys, i) : key;
            Py_ssize_t more = route(self, how, each, PyTuple_GET_ITEM(messages, i));
            if (more < 0) {
                made = -1;
                break;
            }
            made += more;
        }
    }
    Py_XDECREF(keys);
    Py_XDECREF(messages);
    return made < 0 ? NULL : PyLong_FromSsize_t(made);
}

#define ROUTES(name, how)                                                                                              \
    PyObject *router_##name(router_object *self, PyObject *const *args, Py_ssize_t nargs)                              \
    {                                                                                                                  \
        return route_one(self, how, #name, args, nargs);                                                               \
    }                                                                                                                  \
    PyObject *router_##name##_many(router_object *self, PyObject *const *args, Py_ssize_t nargs)                       \
    {                                                                                                                  \
        return route_many(self, how, #name "_many", args, nargs);                                                      \
    }

ROUTES(send, WAY_DIRECT)
ROUTES(send_next, WAY_NEXT)
ROUTES(send_hashed, WAY_HASHED)
ROUTES(publish, WAY_TOPIC)
ROUTES(broadcast, WAY_ALL)
ROUTES(route, WAY_OWN)

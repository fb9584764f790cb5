// SPDX-License-Identifier: MIT
// The Router type: its endpoints and subscriptions (see router.h; the routing is in router_route.c).
#include "workload/router.h"

#include "workload/arguments.h"

PyObject *router_raise(router_object *self, const char *format, PyObject *what)
{
    core_state *state = core_state_of_type(Py_TYPE(self));
    if (state->route_error == NULL) {
        PyObject *module = PyImport_ImportModule("perfcore.errors");
        if (module == NULL)
            return NULL;
        state->route_error = PyObject_GetAttrString(module, "RouteError");
        Py_DECREF(module);
        if (state->route_error == NULL)
            return NULL;
    }
    return PyErr_Format(state->route_error, format, what);
}

PyObject *router_find(router_object *self, PyObject *name)
{
    PyObject *found = NULL;
    if (PyUnicode_Check(name)) {
        PyObject *exact = PyUnicode_FromObject(name);
        if (exact == NULL)
            return NULL;
        found = PyDict_GetItemWithError(self->by_name, exact);
        Py_DECREF(exact);
    }
    if (found == NULL && !PyErr_Occurred())
        return router_raise(self, "no endpoint is called %R; add it first", name);
    return found;
}

// A borrowed tuple of all endpoints.
PyObject *router_everyone(router_object *self)
{
    while (self->all == NULL) {
        // Making a list or a tuple may collect garbage, whose end may add or remove an endpoint: then once more.
        PyObject *cache = Py_NewRef(self->cache); // router_changed() makes another one
        PyObject *values = PyDict_Values(self->by_name);
        PyObject *all = values != NULL ? PyList_AsTuple(values) : NULL;
        Py_XDECREF(values);
        bool same = cache == self->cache;
        Py_DECREF(cache);
        if (all == NULL)
            return NULL;
        if (same)
            Py_XSETREF(self->all, all);
        else
            Py_DECREF(all);
    }
    return self->all;
}

// Forget the snapshots. A new cache, so that who fills the old one fills nothing.
static int router_changed(router_object *self)
{
    PyObject *cache = PyDict_New();
    if (cache == NULL)
        return -1;
    Py_SETREF(self->cache, cache);
    Py_CLEAR(self->all);
    return 0;
}

// --- endpoints and subscriptions ---

PyDoc_STRVAR(router_add_doc, "_add($self, name, target, policy, /)\n--\n\nAdd an endpoint and return it.");

static PyObject *router_add(router_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (router_check_count("_add", nargs, 3) < 0)
        return NULL;
    PyObject *name = arguments_text(args[0], "the name of an endpoint");
    if (name == NULL || router_changed(self) < 0) {
        Py_XDECREF(name);
        return NULL;
    }
    endpoint_object *endpoint = NULL;
    int there = PyDict_Contains(self->by_name, name);
    if (there == 0)
        endpoint = endpoint_create(core_state_of_type(Py_TYPE(self)), name, args[1], args[2], self->next_order);
    if (endpoint != NULL && router_changed(self) < 0)
        Py_CLEAR(endpoint);
    // Making an endpoint may collect garbage, whose end may add one of this name: who comes first stays.
    PyObject *stays = endpoint != NULL ? PyDict_SetDefault(self->by_name, name, (PyObject *)endpoint) : NULL;
    if (there > 0 || (stays != NULL && stays != (PyObject *)endpoint))
        PyErr_Format(PyExc_ValueError, "an endpoint is called %R already", name);
    if (stays == (PyObject *)endpoint && endpoint != NULL) {
        endpoint->registered = pc_registry_add(&self->names, (uint64_t)PyObject_Hash(name), endpoint) == 0;
        self->next_order++;
    } else {
        Py_CLEAR(endpoint);
    }
    Py_DECREF(name);
    return (PyObject *)endpoint;
}

// Take an endpoint out of a filter and note it; the text of a filter that was accepted is always there.
static void leave(router_object *self, endpoint_object *endpoint, PyObject *filter)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(filter, &length);
    assert(text != NULL);
    (void)pc_trie_remove(&self->trie, text, (size_t)length, endpoint->order);
}

PyDoc_STRVAR(router_remove_doc, "_remove($self, name, /)\n--\n\n"
                                "Take an endpoint and its subscriptions out and return it; it gets nothing more.");

static PyObject *router_remove(router_object *self, PyObject *name)
{
    endpoint_object *endpoint = (endpoint_object *)router_find(self, name);
    if (endpoint == NULL)
        return NULL;
    Py_INCREF(endpoint);
    if (router_changed(self) < 0) {
        Py_DECREF(endpoint);
        return NULL;
    }
    PyObject *filter;
    while (PySet_GET_SIZE(endpoint->filters) > 0 && (filter = PySet_Pop(endpoint->filters)) != NULL) {
        leave(self, endpoint, filter);
        Py_DECREF(filter);
    }
    // Forgetting the snapshots may have let other code remove it.
    if (endpoint->removed)
        return (PyObject *)endpoint;
    endpoint_retire(endpoint);
    if (endpoint->registered)
        (void)pc_registry_remove(&self->names, (uint64_t)PyObject_Hash(endpoint->name), endpoint);
    endpoint->registered = false;
    if (PyDict_DelItem(self->by_name, endpoint->name) < 0) {
        Py_DECREF(endpoint);
        return NULL;
    }
    return (PyObject *)endpoint;
}

// The filter is an exact str: no code of others runs where it is compared, so the endpoint is borrowed.
static PyObject *subscribe(router_object *self, PyObject *name, PyObject *filter)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(filter, &length);
    // Forgetting the snapshots may run other code, so it comes before the look-up.
    if (text == NULL || router_changed(self) < 0)
        return NULL;
    endpoint_object *endpoint = (endpoint_object *)router_find(self, name);
    if (endpoint == NULL)
        return NULL;
    int status = pc_trie_add(&self->trie, text, (size_t)length, (pc_subscriber){endpoint->order, endpoint});
    if (status == -EINVAL)
        return PyErr_Format(PyExc_ValueError,
                            "%R is no topic filter: '+' and '#' must fill a level, '#' the last one, of at most %d",
                            filter, PC_TRIE_LEVELS);
    if (status < 0 && status != -EEXIST)
        return core_raise_errno(status);
    if (PySet_Add(endpoint->filters, filter) < 0) {
        if (status == 0)
            leave(self, endpoint, filter);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(router_subscribe_doc,
             "subscribe($self, name, topic_filter, /)\n--\n\n"
             "Have an endpoint get what is published to the topics that a filter matches.\n\n"
             "A filter is MQTT's: levels parted by '/', '+' for any one level, '#' at the end for any number.\n"
             "An endpoint gets a message once, however many of its filters match.");

static PyObject *router_subscribe(router_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (router_check_count("subscribe", nargs, 2) < 0)
        return NULL;
    PyObject *filter = arguments_text(args[1], "a topic filter");
    if (filter == NULL)
        return NULL;
    PyObject *result = subscribe(self, args[0], filter);
    Py_DECREF(filter);
    return result;
}

PyDoc_STRVAR(router_unsubscribe_doc, "unsubscribe($self, name, topic_filter, /)\n--\n\n"
                                     "Undo subscribe(). Raises RouteError when there is no such subscription.");

static PyObject *router_unsubscribe(router_object *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (router_check_count("unsubscribe", nargs, 2) < 0)
        return NULL;
    PyObject *filter = arguments_text(args[1], "a topic filter");
    if (filter == NULL)
        return NULL;
    endpoint_object *endpoint = router_changed(self) == 0 ? (endpoint_object *)router_find(self, args[0]) : NULL;
    int found = endpoint != NULL ? PySet_Discard(endpoint->filters, filter) : -1;
    if (found > 0)
        leave(self, endpoint, filter);
    else if (found == 0)
        (void)router_raise(self, "the endpoint has no subscription to %R", filter);
    Py_DECREF(filter);
    return found > 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *router_get_endpoints(router_object *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef(router_everyone(self));
}

static Py_ssize_t router_length(router_object *self)
{
    return PyDict_GET_SIZE(self->by_name);
}

static PyObject *router_subscript(router_object *self, PyObject *name)
{
    return Py_XNewRef(router_find(self, name));
}

// --- life ---

static PyObject *router_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Router", names))
        return NULL;
    router_object *self = (router_object *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    self->by_name = PyDict_New();
    self->cache = PyDict_New();
    if (self->by_name == NULL || self->cache == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int router_traverse(router_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->by_name);
    Py_VISIT(self->all);
    Py_VISIT(self->cache);
    return 0;
}

static int router_clear(router_object *self)
{
    pc_trie_clear(&self->trie); // before the endpoints that it points to
    pc_registry_clear(&self->names);
    if (self->by_name != NULL)
        PyDict_Clear(self->by_name);
    if (self->cache != NULL)
        PyDict_Clear(self->cache);
    Py_CLEAR(self->all);
    return 0;
}

static void router_dealloc(router_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)router_clear(self);
    Py_CLEAR(self->by_name);
    Py_CLEAR(self->cache);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

#define ROUTE_DOC(name, arguments, text)                                                                               \
    PyDoc_STRVAR(router_##name##_doc, #name "($self, " arguments ", /)\n--\n\n" text)

ROUTE_DOC(send, "name, message", "Deliver to the endpoint of this name; return 1, or 0 when it was dropped.");
ROUTE_DOC(send_many, "names, messages", "send() of each message; names is one name for all, or one for each.");
ROUTE_DOC(send_next, "message", "Deliver to the endpoints in turn.");
ROUTE_DOC(send_next_many, "messages", "send_next() of each message.");
ROUTE_DOC(send_hashed, "key, message",
          "Deliver to the endpoint that a str or bytes chooses, in every process the same.");
ROUTE_DOC(send_hashed_many, "keys, messages",
          "send_hashed() of each message; keys is one key for all, or one for each.");
ROUTE_DOC(publish, "topic, message",
          "Deliver to every endpoint that subscribes to the topic; return how many took it.");
ROUTE_DOC(publish_many, "topics, messages", "publish() of each message; topics is one topic for all, or one for each.");
ROUTE_DOC(broadcast, "message", "Deliver to every endpoint; return how many took it.");
ROUTE_DOC(route, "message", "Deliver a Message to its recipient, or without one to who subscribes to its topic.");
ROUTE_DOC(route_many, "messages", "route() of each message.");
ROUTE_DOC(broadcast_many, "messages", "broadcast() of each message.");

#define ROUTE(name)                                                                                                    \
    {                                                                                                                  \
#name, (PyCFunction)(void (*)(void))router_##name, METH_FASTCALL, router_##name##_doc                          \
    }

static PyMethodDef router_methods[] = {
    ROUTE(send),
    ROUTE(send_many),
    ROUTE(send_next),
    ROUTE(send_next_many),
    ROUTE(send_hashed),
    ROUTE(send_hashed_many),
    ROUTE(publish),
    ROUTE(publish_many),
    ROUTE(broadcast),
    ROUTE(broadcast_many),
    ROUTE(route),
    ROUTE(route_many),
    {"_add", (PyCFunction)(void (*)(void))router_add, METH_FASTCALL, router_add_doc},
    {"_remove", (PyCFunction)router_remove, METH_O, router_remove_doc},
    ROUTE(subscribe),
    ROUTE(unsubscribe),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef router_getset[] = {
    {"endpoints", (getter)router_get_endpoints, NULL, "All endpoints, a tuple in the order of adding.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(router_doc, "Router()\n--\n\n"
                         "Delivers messages to endpoints: directly, in turn, by hash, by topic, or to all.");

static PyType_Slot router_slots[] = {
    {Py_tp_doc, (void *)router_doc},     {Py_tp_new, router_new},
    {Py_tp_dealloc, router_dealloc},     {Py_tp_traverse, router_traverse},
    {Py_tp_clear, router_clear},         {Py_tp_methods, router_methods},
    {Py_tp_getset, router_getset},       {Py_mp_length, router_length},
    {Py_mp_subscript, router_subscript}, {0, NULL},
};

static PyType_Spec router_spec = {
    .name = "perfcore._core.Router",
    .basicsize = sizeof(router_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = router_slots,
};

int router_setup(PyObject *module)
{
    return core_add_type(module, &router_spec, &core_state_of_module(module)->router_type);
}

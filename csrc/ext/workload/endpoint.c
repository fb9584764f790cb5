// SPDX-License-Identifier: MIT
// The Endpoint type and the delivery of one message (see the header).
#include "workload/endpoint.h"

#include <structmember.h>

static const char *const policy_names[] = {"block", "drop_oldest", "drop_new", "error"};

static int parse_policy(PyObject *policy, endpoint_policy *out)
{
    for (size_t i = 0; i < sizeof policy_names / sizeof *policy_names; i++) {
        if (PyUnicode_Check(policy) && PyUnicode_CompareWithASCIIString(policy, policy_names[i]) == 0) {
            *out = (endpoint_policy)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "policy is %R; it must be 'block', 'drop_oldest', 'drop_new' or 'error'", policy);
    return -1;
}

endpoint_object *endpoint_create(core_state *state, PyObject *name, PyObject *target, PyObject *policy, uint64_t order)
{
    endpoint_policy parsed;
    if (parse_policy(policy, &parsed) < 0)
        return NULL;
    bool is_ring = ring_check(state, target);
    if (!is_ring && !PyCallable_Check(target)) {
        PyErr_Format(PyExc_TypeError, "the target of endpoint %R is neither a Ring nor callable", name);
        return NULL;
    }
    if (is_ring && ((ring_object *)target)->is_mailbox) {
        PyErr_Format(PyExc_ValueError, "the ring for endpoint %R is another's mailbox; give it one of its own", name);
        return NULL;
    }
    PyTypeObject *type = state->endpoint_type;
    endpoint_object *self = (endpoint_object *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    self->name = Py_NewRef(name);
    self->text_length = ENDPOINT_NO_TEXT;
    if (PyUnicode_IS_COMPACT_ASCII(name) && PyUnicode_GET_LENGTH(name) <= ENDPOINT_TEXT) {
        self->text_length = (uint8_t)PyUnicode_GET_LENGTH(name);
        memcpy(self->text, PyUnicode_1BYTE_DATA(name), self->text_length);
    }
    self->policy = (uint8_t)parsed;
    self->order = order;
    self->target = Py_NewRef(target);
    self->is_mailbox = is_ring;
    self->sink = is_ring ? (ring_object *)target : ring_behind(state, target);
    self->filters = PySet_New(NULL);
    if (self->filters == NULL)
        Py_CLEAR(self);
    else if (is_ring)
        ((ring_object *)target)->is_mailbox = true;
    return self;
}

// A handler that fails is reported like any exception that nobody can catch, and hinders no other delivery. What is no
// Exception (KeyboardInterrupt, SystemExit) ends the routing.
static delivery call_handler(endpoint_object *self, PyObject *message)
{
    PyObject *result = PyObject_CallOneArg(self->target, message);
    if (result != NULL) {
        Py_DECREF(result);
        self->delivered++;
        return DELIVERY_MADE;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return DELIVERY_ERROR;
    self->failed++;
    PyErr_WriteUnraisable(self->target);
    return DELIVERY_DROPPED;
}

delivery endpoint_deliver(endpoint_object *self, PyObject *message)
{
    if (PC_UNLIKELY(self->removed))
        return DELIVERY_DROPPED;
    if (!self->is_mailbox)
        return call_handler(self, message);
    ring_object *mailbox = endpoint_mailbox(self);
    ring_deadline deadline = self->policy == POLICY_BLOCK ? RING_FOREVER : RING_NOT_AT_ALL;
    ring_outcome outcome = ring_put(mailbox, message, 0.0, deadline);
    while (outcome == RING_NOT_NOW && self->policy == POLICY_DROP_OLDEST) {
        if (ring_drop_oldest(mailbox))
            self->dropped++;
        outcome = ring_put(mailbox, message, 0.0, RING_NOT_AT_ALL);
    }
    if (PC_LIKELY(outcome == RING_DONE)) {
        self->delivered++;
        return DELIVERY_MADE;
    }
    if (outcome == RING_ERROR)
        return DELIVERY_ERROR;
    self->dropped++;
    return outcome == RING_NOT_NOW && self->policy == POLICY_ERROR ? DELIVERY_FULL : DELIVERY_DROPPED;
}

// --- the type ---

static int endpoint_traverse(endpoint_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->target);
    Py_VISIT(self->filters);
    return 0;
}

// The mailbox or handler goes last: a delivery in progress holds the endpoint, so it is not cleared under it.
static int endpoint_clear(endpoint_object *self)
{
    endpoint_retire(self);
    Py_CLEAR(self->filters);
    Py_CLEAR(self->target);
    return 0;
}

static void endpoint_dealloc(endpoint_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)endpoint_clear(self);
    Py_CLEAR(self->name);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *endpoint_repr(endpoint_object *self)
{
    return PyUnicode_FromFormat("<perfcore.Endpoint %R: %llu delivered, %llu dropped>", self->name, self->delivered,
                                self->dropped);
}

static PyObject *endpoint_get_mailbox(endpoint_object *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->is_mailbox && self->target != NULL ? self->target : Py_None);
}

static PyObject *endpoint_get_handler(endpoint_object *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(!self->is_mailbox && self->target != NULL ? self->target : Py_None);
}

static PyObject *endpoint_get_policy(endpoint_object *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(policy_names[self->policy]);
}

static PyObject *endpoint_get_queued(endpoint_object *self, void *Py_UNUSED(closure))
{
    const ring_object *mailbox = endpoint_mailbox(self);
    return PyLong_FromSize_t(mailbox != NULL ? ring_length(mailbox) : 0);
}

static PyObject *endpoint_get_filters(endpoint_object *self, void *Py_UNUSED(closure))
{
    return PyFrozenSet_New(self->filters);
}

static PyGetSetDef endpoint_getset[] = {
    {"mailbox", (getter)endpoint_get_mailbox, NULL, "The ring that holds its messages, or None.", NULL},
    {"handler", (getter)endpoint_get_handler, NULL, "The callable that takes its messages, or None.", NULL},
    {"policy", (getter)endpoint_get_policy, NULL, "What happens to a message for a full mailbox.", NULL},
    {"queued", (getter)endpoint_get_queued, NULL, "Messages in the mailbox.", NULL},
    {"filters", (getter)endpoint_get_filters, NULL, "The topic filters it subscribes to.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define MEMBER(name, type, doc)                                                                                        \
    {                                                                                                                  \
#name, type, offsetof(endpoint_object, name), READONLY, doc                                                    \
    }

static PyMemberDef endpoint_members[] = {
    MEMBER(name, T_OBJECT, "Its name."),
    MEMBER(delivered, T_ULONGLONG, "Messages put into the mailbox, or taken by the handler."),
    MEMBER(dropped, T_ULONGLONG, "Messages lost because the mailbox was full or closed."),
    MEMBER(failed, T_ULONGLONG, "Messages at which the handler raised."),
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(endpoint_doc, "Where a Router delivers: a mailbox or a handler, and what became of its messages.");

static PyType_Slot endpoint_slots[] = {
    {Py_tp_doc, (void *)endpoint_doc},   {Py_tp_dealloc, endpoint_dealloc},
    {Py_tp_traverse, endpoint_traverse}, {Py_tp_clear, endpoint_clear},
    {Py_tp_repr, endpoint_repr},         {Py_tp_getset, endpoint_getset},
    {Py_tp_members, endpoint_members},   {0, NULL},
};

static PyType_Spec endpoint_spec = {
    .name = "perfcore._core.Endpoint",
    .basicsize = sizeof(endpoint_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = endpoint_slots,
};

int endpoint_setup(PyObject *module)
{
    return core_add_type(module, &endpoint_spec, &core_state_of_module(module)->endpoint_type);
}
